/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** Reply of 200054. */
public record NotificationReply(boolean hasMsg, boolean pollingFull) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a value is neither true nor false
     */
    public static NotificationReply read(Fields fields) {
        return new NotificationReply(fields.getBoolean("hasMsg", false), fields.getBoolean("pollingFull", false));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("hasMsg", hasMsg);
        sink.put("pollingFull", pollingFull);
    }
}
