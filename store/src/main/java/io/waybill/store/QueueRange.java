/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

/** The offsets that can be read in a queue: from minOffset up to, not including, maxOffset. */
public record QueueRange(long minOffset, long maxOffset) {
    public boolean isEmpty() {
        return minOffset >= maxOffset;
    }
}
