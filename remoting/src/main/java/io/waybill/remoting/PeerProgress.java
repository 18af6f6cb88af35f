/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.platform.Clock;
import java.util.concurrent.TimeUnit;

/**
 * When a peer last did something, and what it leaves undone: a frame that has begun and not ended, replies that it does not read. A frame counts from
 * when its first bytes were worked off, however many reads bring a few more, so that a peer that dribbles is found as well; while bytes wait because
 * reading is paused, nobody knows yet whether they are whole frames.
 *
 * <p>Written by the connection's event loop. The two weights are read by other threads without a barrier and are then a little old: they only
 * choose whom scarce memory is taken from (docs/adr/0023).
 */
final class PeerProgress {
    // Whoever has not moved on for so long gives way when others have no memory.
    private static final long STUCK_NANOS = TimeUnit.SECONDS.toNanos(1);
    // A peer that is silent this long while calls to it time out is taken for dead: a new connection may find it alive.
    private static final long SILENT_PEER_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final Clock clock;
    private final long idleMillis;
    private final long idleNanos;
    private long lastReadNanos;
    private long lastActivityNanos;
    private long framesRead;
    /** Which frame is arriving, counted from 0; -1 = none. */
    private long partialFrame = -1;

    private long partialSinceNanos;
    private boolean unwritable;
    private long unwritableSinceNanos;

    /** @param idleMillis how long a peer may do nothing, leave a frame unfinished, or read nothing */
    PeerProgress(Clock clock, long idleMillis) {
        this.clock = clock;
        this.idleMillis = idleMillis;
        this.idleNanos = TimeUnit.MILLISECONDS.toNanos(idleMillis);
    }

    void connected(long nowNanos) {
        lastReadNanos = nowNanos;
        lastActivityNanos = nowNanos;
    }

    void frameRead() {
        framesRead++;
    }

    boolean hasSentFrames() {
        return framesRead > 0;
    }

    /** @param unfinished bytes of a frame are here that has not ended */
    void readEnded(boolean unfinished) {
        lastReadNanos = clock.nanoTime();
        lastActivityNanos = lastReadNanos;
        workedOff(unfinished, lastReadNanos);
    }

    /** Like {@link #readEnded} for bytes that waited here: what they leave undone is dated, but the peer did nothing. */
    void workedOff(boolean unfinished, long nowNanos) {
        if (!unfinished) {
            partialFrame = -1;
        } else if (partialFrame != framesRead) {
            partialFrame = framesRead;
            partialSinceNanos = nowNanos;
        }
    }

    void sent() {
        lastActivityNanos = clock.nanoTime();
    }

    void stopsReading() {
        unwritable = true;
        unwritableSinceNanos = clock.nanoTime();
    }

    void readsAgain() {
        unwritable = false;
    }

    /** True while the socket takes nothing more because the peer does not read. */
    boolean isUnwritable() {
        return unwritable;
    }

    boolean isIdle(long nowNanos) {
        return nowNanos - lastActivityNanos >= idleNanos;
    }

    /** When {@link #isIdle} unless something happens. */
    long idleAtNanos() {
        return lastActivityNanos + idleNanos;
    }

    /**
     * Why to give up the peer; null = it does what it should.
     *
     * @param callsExpired calls to it have just timed out
     */
    String overdue(long nowNanos, boolean callsExpired) {
        if (unwritable && nowNanos - unwritableSinceNanos >= idleNanos) {
            return "its peer has not read for " + idleMillis + " ms";
        }
        if (partialFrame >= 0 && nowNanos - partialSinceNanos >= idleNanos) {
            return "a frame did not arrive whole within " + idleMillis + " ms";
        }
        if (callsExpired && nowNanos - lastReadNanos >= SILENT_PEER_NANOS) {
            return "calls time out and its peer has sent nothing for "
                    + TimeUnit.NANOSECONDS.toMillis(nowNanos - lastReadNanos) + " ms";
        }
        return null;
    }

    /** Age of a frame that is arriving; 0 while it is too young or small to judge. Any thread. */
    double weightOfArriving(Charge arriving) {
        long age = clock.nanoTime() - partialSinceNanos;
        return partialFrame < 0 || age < STUCK_NANOS || arriving.bytes() <= Charge.FLOOR_BYTES ? 0 : age;
    }

    /** Bytes times age of replies that the peer does not read; 0 while it reads. Any thread. */
    double weightOfUnsent(Charge unsent) {
        long age = clock.nanoTime() - unwritableSinceNanos;
        return !unwritable || age < STUCK_NANOS ? 0 : (double) unsent.bytes() * age;
    }
}
