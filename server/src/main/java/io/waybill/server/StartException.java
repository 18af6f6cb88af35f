/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.server;

/** A server could not start; nothing of it is running. */
public final class StartException extends Exception {
    private final String advice;

    StartException(String what, String advice, Throwable cause) {
        super(what, cause);
        this.advice = advice;
    }

    /** What to do about it, as a sentence without capital and stop. */
    public String advice() {
        return advice;
    }
}
