/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 326, broker to client: the answer to a request message.
 *
 * @param message the header of the answering send; written with long names
 * @param bornHost {@code ip:port} of the answering client
 * @param storeHost {@code ip:port} of the broker
 * @param storeTimestamp milliseconds
 */
public record PushReplyHeader(SendMessageHeader message, String bornHost, String storeHost, long storeTimestamp)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static PushReplyHeader read(Fields fields) {
        return new PushReplyHeader(
                SendMessageHeader.read(fields),
                fields.require("bornHost"),
                fields.require("storeHost"),
                fields.requireLong("storeTimestamp"));
    }

    @Override
    public void write(FieldSink sink) {
        message.longNames().write(sink);
        sink.put("bornHost", bornHost);
        sink.put("storeHost", storeHost);
        sink.put("storeTimestamp", storeTimestamp);
    }
}
