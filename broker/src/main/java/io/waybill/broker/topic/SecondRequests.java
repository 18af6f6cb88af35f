/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

import io.waybill.platform.Clock;
import io.waybill.remoting.Request;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Lets what would lose something happen at the second request only: the first one is refused with what would be lost, and the same request from the
 * same host within {@value #SECONDS} s, or one with {@code force=true}, is meant. So a slip is stopped, and a tool that knows nothing of this gets its
 * way by asking again. Holds at most {@value #MOST} first requests; thread-safe (ADR 0025).
 */
final class SecondRequests {
    static final int SECONDS = 60;
    private static final int MOST = 1_000;
    private static final long WINDOW_NANOS = TimeUnit.SECONDS.toNanos(SECONDS);

    private final Clock clock;

    /** By host and what is asked, when it was refused. Guarded by this. */
    private final Map<String, Long> refused = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
            return size() > MOST;
        }
    };

    SecondRequests(Clock clock) {
        this.clock = clock;
    }

    /**
     * Whether the request is meant; if not, the next one like it is.
     *
     * @param what the operation with all that tells it from another one, short
     */
    boolean isMeant(Request request, String what) {
        return isMeant(request, List.of(what));
    }

    /** The same of operations of one request, of which all are meant or none. */
    synchronized boolean isMeant(Request request, List<String> whats) {
        if (request.command().fields().getBoolean("force", false)) {
            return true;
        }
        String host = request.connection().remoteAddress().getHostString() + ' ';
        long now = clock.nanoTime();
        boolean isMeant = true;
        for (String what : whats) {
            Long before = refused.get(host + what);
            isMeant &= before != null && now - before <= WINDOW_NANOS;
        }
        for (String what : whats) {
            refused.remove(host + what);
            if (!isMeant) {
                refused.put(host + what, now);
            }
        }
        return isMeant;
    }

    /** The sentence behind what would be lost. */
    static String howTo(String verb) {
        return "Nothing was changed. To " + verb + " all the same, send the same request again within " + SECONDS
                + " s, or with force=true (waybill: --force)";
    }
}
