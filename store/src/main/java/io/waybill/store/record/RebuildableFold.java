/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.List;

/** A fold that can be made again from the log, beside the one that serves, and then takes its place. */
public interface RebuildableFold extends LogFold {
    /** Run when {@link #damage} has found something, by any thread; quick. One at most. */
    void onDamage(Runnable wake);

    /** Why no checkpoint can be written now; null if one can, as far as known. */
    String unwritable();

    /** Whether what is on disk is sound, so that reading it again is enough. */
    boolean isBackendSound();

    /** Empties it: what it holds is not of this log. Only while nobody else uses it. */
    void startOver();

    /** An empty one beside this one. */
    RebuildableFold beside();

    /** The one as of the last checkpoint, over the same files: for when only memory went wrong. */
    RebuildableFold reread();

    /**
     * Puts another one, made by {@link #beside} or {@link #reread}, in the place of this one; it must cover the log as far.
     *
     * @return gives the old one up, once nobody writes to it
     */
    Runnable adopt(RebuildableFold fresh);

    /** Queues that missed a message. */
    List<QueueKey> lostQueues();

    /** What a refused reader is told besides. */
    void progress(String howFar);

    /** For refusals: that it passes, and how far it is. */
    String howFar();
}
