/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.util.List;

/**
 * What a replay would read.
 *
 * @param topic the topic
 * @param slices one for each queue, sorted; empty ones too
 * @param count messages in all slices; with tags an upper bound, since the tags are looked at only while reading
 * @param exact false if {@code count} is an upper bound
 */
public record ReplayPreview(String topic, List<Slice> slices, long count, boolean exact) {
    /**
     * The part of one queue.
     *
     * @param queue the queue
     * @param fromOffset the first offset
     * @param toOffset behind the last offset
     */
    public record Slice(MessageQueue queue, long fromOffset, long toOffset) {
        /** Messages in the slice. */
        public long count() {
            return toOffset - fromOffset;
        }
    }
}
