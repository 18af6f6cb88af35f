/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import java.io.IOException;

/** The broker's name is another's: that of a living broker, or the data directory says another one. */
public final class NameTaken extends IOException {
    private static final long serialVersionUID = 1L;

    private final String advice;

    NameTaken(String what, String advice) {
        super(what);
        this.advice = advice;
    }

    /** What to do, as a sentence without its point. */
    public String advice() {
        return advice;
    }
}
