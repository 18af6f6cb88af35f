/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.platform.Clock;
import java.util.EnumMap;
import java.util.Map;

/**
 * What peers cause is logged at most {@value #MOST} times a minute, each kind by itself, so that a flood of one kind does not hide another. Thread-safe.
 */
final class PeerLogLimits {
    static final int MOST = 10;

    private static final long INTERVAL_MILLIS = 60_000;

    enum PeerEvent {
        BROKEN_FRAME,
        FAILED_CONNECTION,
        FAILED_REQUEST,
        FAILED_ACCEPT,
        FOREIGN_PROTOCOL,
        SCARCE_MEMORY,
        TOO_MANY_CONNECTIONS
    }

    private final Map<PeerEvent, LogRateLimiter> limiters = new EnumMap<>(PeerEvent.class);

    PeerLogLimits(Clock clock) {
        for (PeerEvent kind : PeerEvent.values()) {
            limiters.put(kind, new LogRateLimiter(clock, MOST, INTERVAL_MILLIS));
        }
    }

    /** Null when the line must not be written, else what to write behind it. */
    String admit(PeerEvent kind) {
        return limiters.get(kind).admit();
    }
}
