/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** The writer's side of a queue: the next offset to give. Used by the holder of the role only. */
final class QueueState {
    final String topic;
    final int queueId;
    long next;
    /** Index of the last frame that has a message of this queue. */
    long frameIndex = -1;
    /** That frame's note of this queue. */
    Touched touched;

    private long frameIndexBefore;
    private Touched touchedBefore;

    QueueState(String topic, int queueId, long next) {
        this.topic = topic;
        this.queueId = queueId;
        this.next = next;
    }

    void touch(long inFrame, Touched now) {
        frameIndexBefore = frameIndex;
        touchedBefore = touched;
        frameIndex = inFrame;
        touched = now;
    }

    /** Takes the last touch back. */
    void untouch() {
        frameIndex = frameIndexBefore;
        touched = touchedBefore;
        touchedBefore = null;
    }

    /** A queue that grows by a frame, and up to where. Handed over with the frame. */
    static final class Touched {
        final String topic;
        final int queueId;
        long newMax;
        /** For the holder of the role. */
        private final QueueState state;

        Touched(QueueState state) {
            this.topic = state.topic;
            this.queueId = state.queueId;
            this.state = state;
        }

        QueueState state() {
            return state;
        }
    }
}
