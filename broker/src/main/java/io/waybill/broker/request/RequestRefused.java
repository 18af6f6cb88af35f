/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

/**
 * A check deep inside a handler refuses the request with a code and a sentence of its own; {@link RequestFailures} answers. Carries no stack trace: it is an
 * answer to a peer, not a bug. Where the handler itself refuses, it returns {@link Reply#refused} instead.
 */
public final class RequestRefused extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int code;

    public RequestRefused(int code, String text) {
        super(text, null, false, false);
        this.code = code;
    }

    int code() {
        return code;
    }
}
