/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 221, 223: the offsets a group's clients hold.
 *
 * @param clientAddr null: all clients
 */
public record ConsumerStatusHeader(String topic, String group, String clientAddr) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static ConsumerStatusHeader read(Fields fields) {
        return new ConsumerStatusHeader(fields.require("topic"), fields.require("group"), fields.get("clientAddr"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("group", group);
        sink.put("clientAddr", clientAddr);
    }
}
