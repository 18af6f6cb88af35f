/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.protocol.body.DataVersion;
import io.waybill.protocol.frame.Fields;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * A part of a table that is asked for piece by piece (21 topics, 201 groups): the client names the index to go on at and the version of the table its
 * parts are of, and begins anew when the version of an answer is another. A request without an index is an old one for all.
 *
 * @param from index of the first element
 * @param to behind the last one
 */
public record Pages(int from, int to) {
    private static final int MOST = 2_000;

    /**
     * @param sequence name of the field with the index
     * @param most name of the field with the number of elements
     * @throws io.waybill.protocol.frame.BadField when a field is no number, or the version none
     */
    public static Pages of(Fields fields, String sequence, String most, DataVersion current, int size) {
        int from = fields.getInt(sequence, -1);
        if (from < 0) {
            return new Pages(0, size);
        }
        String known = fields.get("dataVersion");
        boolean isOfAnother = known != null
                && !known.isBlank()
                && !DataVersion.parse(ByteBuffer.wrap(known.getBytes(StandardCharsets.UTF_8)))
                        .equals(current);
        int first = isOfAnother ? 0 : Math.min(from, size);
        int count = Math.max(1, Math.min(fields.getInt(most, MOST), MOST));
        int end = Math.min(size, first + count);
        // Clients of 5.5 stop when a single element is left.
        return new Pages(first, size - end == 1 ? size : end);
    }
}
