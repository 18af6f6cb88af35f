/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

/** Bytes that are no frame: the connection they came on can only be closed. The text names the field, the limit and what was seen. */
public final class MalformedFrame extends Exception {
    public MalformedFrame(String field, String limit, String seen) {
        super(field + ": must be " + limit + ", but was " + seen, null, false, false);
    }
}
