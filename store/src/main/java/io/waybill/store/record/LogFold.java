/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.List;

/**
 * What the log is applied to: at any moment the fold of its records from its oldest position to {@link #applied}, kept on disk
 * as of an earlier {@link #checkpoint}. The log knows no more of the views than this.
 *
 * <p>One thread at a time applies and prepares checkpoints, one writes them; the others ask.
 */
public interface LogFold {
    /**
     * Applies the records of confirmed frames, in log order, each once. Strict, for a log that is being recovered.
     *
     * @param upTo of the last frame; its oldest position does not count
     */
    void apply(List<? extends LogRecord> records, Checkpoint upTo);

    /** As apply, but never throws: what cannot take a record is lost, and {@link #damage} says so. For a log that serves. */
    void applyOrLose(List<? extends LogRecord> records, Checkpoint upTo);

    /** Up to where records were applied. */
    Checkpoint applied();

    /** Up to where the log may be dropped, by its own word: the last DROPPED record that was applied. */
    long droppedTo();

    /** Up to where everything is written. */
    Checkpoint checkpoint();

    /** Up to where everything is written durably. */
    Checkpoint flushedCheckpoint();

    /**
     * Closes what was gathered, so that {@link #writeCheckpoint} can write it. By who applies.
     *
     * @return false, and nothing is done, if nothing changed or the last one is not written yet
     */
    boolean prepareCheckpoint();

    /** Writes what {@link #prepareCheckpoint} closed, and makes it durable if asked. */
    void writeCheckpoint(boolean flush);

    /** Roughly the memory of what was applied since the last {@link #prepareCheckpoint}. */
    long gatheredBytes();

    /** Roughly the memory of all that no checkpoint holds. */
    long unwrittenBytes();

    /** Why this must be made again, in a sentence; null if it need not. */
    String damage();

    void close();
}
