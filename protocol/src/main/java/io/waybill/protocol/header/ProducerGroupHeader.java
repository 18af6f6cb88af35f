/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 204: something about one producer group. */
public record ProducerGroupHeader(String producerGroup) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static ProducerGroupHeader read(Fields fields) {
        return new ProducerGroupHeader(fields.require("producerGroup"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("producerGroup", producerGroup);
    }
}
