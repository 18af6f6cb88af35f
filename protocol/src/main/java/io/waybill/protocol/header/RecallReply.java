/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * Reply of 370.
 *
 * @param msgId unique key of the message that will not be delivered
 */
public record RecallReply(String msgId) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static RecallReply read(Fields fields) {
        return new RecallReply(fields.require("msgId"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("msgId", msgId);
    }
}
