/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

/**
 * Decides, purely, whether a send that failed is tried again, and when. Every attempt carries the same message id; all of them and the pauses between
 * them lie inside one overall time.
 *
 * @param maxAttempts attempts in all
 * @param repeatUnsure false: an attempt that may have been stored is never repeated (half messages: a second half would be a second transaction)
 */
public record SendRetryPolicy(int maxAttempts, boolean repeatUnsure) {
    static final long NO = -1;

    private static final long FIRST_PAUSE_MILLIS = 50;
    private static final long MAX_PAUSE_MILLIS = 500;
    private static final int MAX_ATTEMPTS_AFTER_ERROR = 3;
    private static final int MAX_ATTEMPTS_WHEN_DENIED = 2;

    /** Ways an attempt fails. */
    enum Trouble {
        /** Nothing left this process: no connection, or too much under way. */
        NOT_SENT(false),
        /** The connection broke before the answer. */
        BROKEN(true),
        /** No answer in the time of the attempt. */
        TIMEOUT(true),
        /** The broker is too busy or shutting down and did nothing (2, 14, 215, 1500). */
        BUSY(false),
        /** The broker failed at it (1). */
        ERROR(true),
        /** This broker will not have it (16, 17, 204, 205); another may. */
        DENIED(false),
        /** No broker will have it. */
        FINAL(false);

        /** True if the message may be stored nevertheless. */
        final boolean unsure;

        Trouble(boolean unsure) {
            this.unsure = unsure;
        }

        /** The trouble a response code means; success codes are no trouble. */
        static Trouble ofCode(int code) {
            return switch (code) {
                case 1 -> ERROR;
                case 2, 14, 215, 1500 -> BUSY;
                case 16, 17, 204, 205 -> DENIED;
                default -> FINAL;
            };
        }
    }

    /**
     * @param attempts attempts made so far, at least 1
     * @param remainingMillis what is left of the overall time
     * @param elsewhere true if the next attempt would go to another broker
     * @return milliseconds to wait before the next attempt, or {@link #NO}
     */
    long pauseBeforeNext(Trouble trouble, int attempts, long remainingMillis, boolean elsewhere) {
        if (attempts >= maxAttempts || trouble == Trouble.FINAL || trouble.unsure && !repeatUnsure) {
            return NO;
        }
        if (trouble == Trouble.ERROR && attempts >= MAX_ATTEMPTS_AFTER_ERROR
                || trouble == Trouble.DENIED && attempts >= MAX_ATTEMPTS_WHEN_DENIED) {
            return NO;
        }
        long pause = elsewhere && attempts == 1
                ? 0
                : Math.min(MAX_PAUSE_MILLIS, FIRST_PAUSE_MILLIS << Math.min(attempts - 1, 10));
        return pause < remainingMillis ? pause : NO;
    }

    /** The time of one attempt: all that is left if there is one broker, else half of it, so that a silent broker leaves time for another. */
    static long attemptMillis(long remainingMillis, boolean otherBrokers) {
        return otherBrokers ? Math.max(Math.min(remainingMillis, 500), remainingMillis / 2) : remainingMillis;
    }
}
