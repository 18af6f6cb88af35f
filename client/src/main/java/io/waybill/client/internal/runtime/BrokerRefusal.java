/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.runtime;

/** An answer with an error code. Made on event loops and always translated before a user sees it, so it has no trace. */
public final class BrokerRefusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int code;

    public BrokerRefusal(int code, String remark) {
        super(remark, null, false, false);
        this.code = code;
    }

    public int code() {
        return code;
    }
}
