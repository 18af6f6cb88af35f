/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** Reply of 103, for slaves; both may be null. */
public record RegisterBrokerReply(String haServerAddr, String masterAddr) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static RegisterBrokerReply read(Fields fields) {
        return new RegisterBrokerReply(fields.get("haServerAddr"), fields.get("masterAddr"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("haServerAddr", haServerAddr);
        sink.put("masterAddr", masterAddr);
    }
}
