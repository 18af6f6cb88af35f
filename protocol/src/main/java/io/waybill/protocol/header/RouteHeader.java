/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 105: who serves a topic. */
public record RouteHeader(String topic, boolean acceptStandardJsonOnly) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static RouteHeader read(Fields fields) {
        return new RouteHeader(fields.require("topic"), fields.getBoolean("acceptStandardJsonOnly", false));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("acceptStandardJsonOnly", acceptStandardJsonOnly);
    }
}
