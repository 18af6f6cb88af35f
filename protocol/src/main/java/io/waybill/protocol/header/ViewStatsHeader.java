/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 315: one statistic of the broker. */
public record ViewStatsHeader(String statsName, String statsKey) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static ViewStatsHeader read(Fields fields) {
        return new ViewStatsHeader(fields.require("statsName"), fields.require("statsKey"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("statsName", statsName);
        sink.put("statsKey", statsKey);
    }
}
