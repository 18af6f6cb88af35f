/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import java.nio.ByteBuffer;

/** Decides by the stored message itself. */
@FunctionalInterface
public interface MessageFilter {
    /** The stored message starts at {@code at} in {@code buffer}; neither position nor limit may be changed. */
    boolean accepts(ByteBuffer buffer, int at);

    /** Whether the read is to end here with what it has, because looking at messages has cost enough. */
    default boolean isSpent() {
        return false;
    }
}
