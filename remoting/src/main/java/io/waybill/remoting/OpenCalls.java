/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.util.collection.IntObjectHashMap;
import io.netty.util.collection.IntObjectMap;
import io.waybill.remoting.RemotingException.CallFailure;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * The calls of one connection whose frame has left and whose response has not come, by opaque. Each leaves this table once: with its response, when
 * its time is over, or when the connection closes; whoever takes it out completes it. Of the connection's event loop.
 */
final class OpenCalls {
    private final IntObjectHashMap<PendingCall> calls = new IntObjectHashMap<>();
    private int lastOpaque;

    /** Another number for each frame that is a request; after four billion of them the first comes again. */
    int nextOpaque() {
        return ++lastOpaque;
    }

    void add(int opaque, PendingCall call) {
        calls.put(opaque, call);
    }

    /** The call that was sent under this number; null when it has given up, or there never was one. */
    PendingCall remove(int opaque) {
        return calls.remove(opaque);
    }

    int size() {
        return calls.size();
    }

    /**
     * Takes out the calls whose time is over.
     *
     * @param latestNanos when to look again at the latest
     * @return when to look again
     */
    long expire(long nowNanos, long latestNanos, List<PendingCall> expired) {
        long nextNanos = latestNanos;
        for (Iterator<IntObjectMap.PrimitiveEntry<PendingCall>> each =
                        calls.entries().iterator();
                each.hasNext(); ) {
            PendingCall call = each.next().value();
            if (call.deadlineNanos - nowNanos <= 0) {
                each.remove();
                expired.add(call);
            } else if (call.deadlineNanos - nextNanos < 0) {
                nextNanos = call.deadlineNanos;
            }
        }
        return nextNanos;
    }

    /** Takes out all. */
    List<PendingCall> removeAll() {
        List<PendingCall> all = new ArrayList<>(calls.values());
        calls.clear();
        return all;
    }

    /** Completes calls that were taken out: their frames have left, so the peer may have done what they ask for. */
    static void fail(List<PendingCall> taken, CallFailure failure, String why) {
        if (!taken.isEmpty()) {
            RemotingException reason = new RemotingException(failure, true, why);
            taken.forEach(call -> call.future.completeExceptionally(reason));
        }
    }
}
