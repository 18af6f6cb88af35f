/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** Reply of 200053: what the client makes its new handle of. All fields are needed, with an error too. */
public record ChangeInvisibleReply(long popTime, long invisibleTime, int reviveQid) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a field is missing or no number
     */
    public static ChangeInvisibleReply read(Fields fields) {
        return new ChangeInvisibleReply(
                fields.requireLong("popTime"), fields.requireLong("invisibleTime"), fields.requireInt("reviveQid"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("popTime", popTime);
        sink.put("invisibleTime", invisibleTime);
        sink.put("reviveQid", reviveQid);
    }
}
