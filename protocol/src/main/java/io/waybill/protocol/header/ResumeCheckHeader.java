/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 323: check a discarded half message again.
 *
 * @param msgId an offset message id
 */
public record ResumeCheckHeader(String topic, String msgId) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static ResumeCheckHeader read(Fields fields) {
        return new ResumeCheckHeader(fields.get("topic"), fields.get("msgId"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("msgId", msgId);
    }
}
