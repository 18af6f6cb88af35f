/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.nio.ByteBuffer;

/**
 * Takes the frames of a writer and sees to it that they are kept by the promise of the flush mode, applied and answered. On
 * one machine that is the {@link Flusher}. Called by the holder of the writer's role only, except {@link #willDrain}.
 */
interface Carrier {
    /** Whether it is about to drain the writer's queue by itself, so that a caller may leave its change there. Any thread. */
    boolean willDrain();

    /**
     * Carries the frame on, behind all frames before it. From here on the carrier completes the changes that wait for the
     * frame, once each, also when it fails. If it throws, it has not taken the frame.
     *
     * @param sealed the bytes, which are the writer's again after the call; null for a barrier
     */
    void carry(WrittenFrame frame, ByteBuffer sealed);

    /** The frame carried last, to whose chain the next one is added. */
    WrittenFrame newest();
}
