/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * How far the views cover the log.
 *
 * @param position the first log position that is not yet applied; 0 if the views are empty
 * @param frameIndex index given with the last applied frame
 * @param epoch epoch given with the last applied frame
 * @param storeTimeMillis highest store time applied
 * @param oldestPosition up to where a DROPPED record dropped the log
 * @param frameBase where the last applied frame begins; -1 if that is not known
 * @param frameChecksum of that frame: with the rest it tells whether these are views of the log they lie beside
 */
public record Checkpoint(
        long position,
        long frameIndex,
        long epoch,
        long storeTimeMillis,
        long oldestPosition,
        long frameBase,
        int frameChecksum) {
    /** Nothing applied. */
    public static final Checkpoint EMPTY = new Checkpoint(0, 0, 0, 0, 0);

    /** Without a word of the last frame. */
    public Checkpoint(long position, long frameIndex, long epoch, long storeTimeMillis, long oldestPosition) {
        this(position, frameIndex, epoch, storeTimeMillis, oldestPosition, -1, 0);
    }

    public Checkpoint from(long oldest) {
        return new Checkpoint(position, frameIndex, epoch, storeTimeMillis, oldest, frameBase, frameChecksum);
    }
}
