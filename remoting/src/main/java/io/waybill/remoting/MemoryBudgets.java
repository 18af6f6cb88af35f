/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.util.internal.PlatformDependent;
import io.waybill.platform.MemoryBudget;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.ToDoubleFunction;

/**
 * What connections may make a process hold, all its servers together. Each use has a budget of its own, so that what peers
 * leave unfinished, unread or waiting never takes the room of requests that are worked on. Thread-safe.
 *
 * <pre>
 *  arriving   direct   frames whose end has not come yet, and bytes of a connection whose reading is paused
 *  unsent     direct   replies that the peer has not read, without slices of mapped files
 *  inHand     heap     requests that are worked on
 *  waiting    heap     requests that wait for a message because the peer wants it so
 * </pre>
 */
final class MemoryBudgets {
    // Of 192 MiB direct memory, 38 and 48 MiB; the rest is for read buffers, the writer's frame and what the allocator
    // rounds up.
    private static final int ARRIVING_DIVISOR = 5;
    private static final int UNSENT_DIVISOR = 4;
    // Of 320 MiB heap, 53 and 32 MiB.
    private static final int IN_HAND_DIVISOR = 6;
    private static final int WAITING_DIVISOR = 10;

    private static final long SEARCH_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    final MemoryBudget arriving;
    final MemoryBudget unsent;
    final MemoryBudget inHand;
    final MemoryBudget waiting;
    private final ConcurrentHashMap<Object, AddressShare> addresses = new ConcurrentHashMap<>();
    /** Connections that hold memory until their peer does something, so that the worst can be found when it is scarce. */
    private final Collection<SocketConnection> holding = ConcurrentHashMap.newKeySet();

    /** The connection whose frame may take more than its share; null = none. */
    private final AtomicReference<SocketConnection> finishing = new AtomicReference<>();

    private final AtomicLong lastSearchNanos = new AtomicLong();
    private volatile boolean hasSearched;

    private MemoryBudgets(long arriving, long unsent, long inHand, long waiting) {
        this.arriving = new MemoryBudget(arriving);
        this.unsent = new MemoryBudget(unsent);
        this.inHand = new MemoryBudget(inHand);
        this.waiting = new MemoryBudget(waiting);
    }

    /** Derived from the heap and the direct memory this process may use. */
    static MemoryBudgets ofProcess() {
        long heap = Runtime.getRuntime().maxMemory();
        long direct = PlatformDependent.maxDirectMemory();
        return new MemoryBudgets(
                direct / ARRIVING_DIVISOR, direct / UNSENT_DIVISOR, heap / IN_HAND_DIVISOR, heap / WAITING_DIVISOR);
    }

    /** With one limit for each use. */
    static MemoryBudgets of(long each) {
        return new MemoryBudgets(each, each, each, each);
    }

    /** What all connections from one address hold; an IPv6 address counts with the others of its /64. */
    static final class AddressShare {
        final AtomicLong arriving = new AtomicLong();
        final AtomicLong unsent = new AtomicLong();
        final AtomicLong inHand = new AtomicLong();
        final AtomicLong waiting = new AtomicLong();
        private final Object key;
        /** By server; under the map's lock of the key. */
        private final Map<Object, Integer> connections = new HashMap<>(4);

        private AddressShare(Object key) {
            this.key = key;
        }
    }

    /**
     * The share of an address for one more connection of a server, to be given back by {@link #left}; null when the address has too many of that server
     * already.
     */
    AddressShare joined(InetAddress address, Object server, int mostConnections) {
        Object key = keyOf(address);
        boolean[] refused = new boolean[1];
        AddressShare share = addresses.compute(key, (same, known) -> {
            AddressShare present = known == null ? new AddressShare(key) : known;
            refused[0] = present.connections.getOrDefault(server, 0) >= mostConnections;
            if (!refused[0]) {
                present.connections.merge(server, 1, Integer::sum);
            }
            return present.connections.isEmpty() ? null : present;
        });
        return refused[0] ? null : share;
    }

    void left(AddressShare share, Object server) {
        addresses.computeIfPresent(share.key, (same, known) -> {
            known.connections.computeIfPresent(server, (one, count) -> count == 1 ? null : count - 1);
            return known.connections.isEmpty() ? null : known;
        });
    }

    private static Object keyOf(InetAddress address) {
        byte[] bytes = address.getAddress();
        return bytes.length == 4 ? address : ByteBuffer.wrap(bytes, 0, 8);
    }

    /**
     * Whether the connection may take what its frame still needs although there is no share left: one at a time, or several large frames that have come half
     * would wait for each other, and one that is larger than every share for ever. To be given back by {@link #finished}.
     */
    boolean mayFinish(SocketConnection connection) {
        return finishing.get() == connection || finishing.compareAndSet(null, connection);
    }

    void finished(SocketConnection connection) {
        finishing.compareAndSet(connection, null);
    }

    void holds(SocketConnection connection) {
        holding.add(connection);
    }

    void holdsNothing(SocketConnection connection) {
        holding.remove(connection);
    }

    /**
     * The connection that has held most for longest of a use that is scarce; null when none is old enough to be taken for stuck, or when somebody
     * looked just now: a crowd that waits must not make the search expensive.
     *
     * @param use asked for the weight of a connection, 0 = it is not to be closed
     */
    SocketConnection heaviest(long nowNanos, ToDoubleFunction<SocketConnection> use) {
        long last = lastSearchNanos.get();
        if (hasSearched && nowNanos - last < SEARCH_NANOS || !lastSearchNanos.compareAndSet(last, nowNanos)) {
            return null;
        }
        hasSearched = true;
        SocketConnection worst = null;
        double most = 0;
        for (SocketConnection each : holding) {
            double weight = use.applyAsDouble(each);
            if (weight > most) {
                most = weight;
                worst = each;
            }
        }
        return worst;
    }
}
