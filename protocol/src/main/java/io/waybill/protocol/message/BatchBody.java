/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The body of a batch send: messages of one queue back to back. Topic, queue, times and host come from the request's header.
 *
 * <pre>
 *   0  totalSize 4     this message, this field included
 *   4  magic 4         ignored, 0 when written
 *   8  bodyCrc 4       ignored, 0 when written; the broker computes its own
 *  12  flag 4
 *  16  bodyLength 4    body
 *      propertiesLength 2  properties
 * </pre>
 */
public final class BatchBody {
    /** More parts than this in one batch are refused, so that a batch of empty messages cannot fill the heap. */
    public static final int MAX_PARTS = 32_768;

    private static final int FIXED_LENGTH = 4 + 4 + 4 + 4 + 4 + 2;

    private BatchBody() {}

    /**
     * One message of a batch.
     *
     * @param body from position to limit; after {@link BatchBody#parse} a slice of the batch, not a copy
     * @param properties encoded
     */
    public record Part(int flag, ByteBuffer body, byte[] properties) {}

    /** Splits the batch from the buffer's position to its limit; the position is not moved.
     *
     * @throws BadValue when a length does not fit, there is no part, or there are more than {@link #MAX_PARTS}
     */
    public static List<Part> parse(ByteBuffer batch) {
        List<Part> parts = new ArrayList<>();
        for (int at = batch.position(); at < batch.limit(); ) {
            int room = batch.limit() - at;
            int totalSize = room < FIXED_LENGTH ? room : batch.getInt(at);
            if (totalSize < FIXED_LENGTH || totalSize > room) {
                throw new BadValue(
                        "batch part " + parts.size(), FIXED_LENGTH + " to " + room + " bytes", totalSize + " bytes");
            }
            int bodyLength = batch.getInt(at + 16);
            int rest = totalSize - FIXED_LENGTH;
            if (bodyLength < 0 || bodyLength > rest) {
                throw new BadValue("bodyLength of batch part " + parts.size(), "0 to " + rest, "" + bodyLength);
            }
            int propertiesLength = batch.getShort(at + 20 + bodyLength);
            if (propertiesLength != rest - bodyLength) {
                throw new BadValue(
                        "propertiesLength of batch part " + parts.size(),
                        "" + (rest - bodyLength),
                        "" + propertiesLength);
            }
            if (parts.size() == MAX_PARTS) {
                throw new BadValue("batch", "at most " + MAX_PARTS + " messages", "more");
            }
            byte[] properties = new byte[propertiesLength];
            batch.get(at + FIXED_LENGTH + bodyLength, properties);
            parts.add(new Part(batch.getInt(at + 12), batch.slice(at + 20, bodyLength), properties));
            at += totalSize;
        }
        if (parts.isEmpty()) {
            throw new BadValue("batch", "at least one message", "none");
        }
        return parts;
    }

    /** Joins parts to a batch.
     *
     * @throws BadValue when the properties of a part are too long
     */
    public static byte[] encode(List<Part> parts) {
        int size = 0;
        for (Part part : parts) {
            MessageProperties.checkLength(part.properties().length);
            size = Math.addExact(size, FIXED_LENGTH + part.body().remaining() + part.properties().length);
        }
        ByteBuffer out = ByteBuffer.allocate(size);
        for (Part part : parts) {
            out.putInt(FIXED_LENGTH + part.body().remaining() + part.properties().length)
                    .putInt(0)
                    .putInt(0)
                    .putInt(part.flag())
                    .putInt(part.body().remaining())
                    .put(part.body().duplicate())
                    .putShort((short) part.properties().length)
                    .put(part.properties());
        }
        return out.array();
    }
}
