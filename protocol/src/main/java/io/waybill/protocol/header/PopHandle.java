/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.BadField;

/**
 * What a consumer shows to prove which taking of a message it speaks of. Eight texts separated by spaces:
 * {@code startOffset popTime invisibleTime reviveQid topicMark brokerName queueId offset}. Clients make it of a pop's reply and only echo it.
 *
 * @param reviveQid {@link #ORDERED} for a message popped in order
 * @param topicMark 0 for a plain topic, 1 and 2 for a retry topic
 */
public record PopHandle(
        long startOffset,
        long popTime,
        long invisibleTime,
        int reviveQid,
        String topicMark,
        String brokerName,
        int queueId,
        long offset) {
    public static final int ORDERED = 999;
    private static final int PARTS = 8;

    /** @throws BadField when the text is no handle */
    public static PopHandle parse(String text) {
        String[] parts = text.split(" ", PARTS + 1);
        if (parts.length != PARTS) {
            throw bad(text);
        }
        try {
            return new PopHandle(
                    Long.parseLong(parts[0]),
                    Long.parseLong(parts[1]),
                    Long.parseLong(parts[2]),
                    Integer.parseInt(parts[3]),
                    parts[4],
                    parts[5],
                    Integer.parseInt(parts[6]),
                    Long.parseLong(parts[7]));
        } catch (NumberFormatException e) {
            throw bad(text);
        }
    }

    private static BadField bad(String text) {
        return new BadField("extraInfo", "the eight parts of a pop handle", text);
    }

    @Override
    public String toString() {
        return startOffset + " " + popTime + " " + invisibleTime + " " + reviveQid + " " + topicMark + " " + brokerName
                + " " + queueId + " " + offset;
    }
}
