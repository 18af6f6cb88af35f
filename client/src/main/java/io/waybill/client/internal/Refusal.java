/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

/** An answer with an error code. Made on event loops and always translated before a user sees it, so it has no trace. */
final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int code;

    Refusal(int code, String remark) {
        super(remark, null, false, false);
        this.code = code;
    }

    int code() {
        return code;
    }
}
