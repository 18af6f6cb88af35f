/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.group;

import io.waybill.client.internal.runtime.ClientExceptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What was built from one client and is not closed. Always: at most one consumer and one transactional producer of each group; after {@link #close}
 * nothing is added.
 */
public final class MemberRegistry {
    private static final Logger LOG = LoggerFactory.getLogger(MemberRegistry.class);

    private final Map<String, GroupMember> consumers = new ConcurrentHashMap<>();
    private final Map<String, CheckedProducer> checked = new ConcurrentHashMap<>(); // changed under itself
    private final List<AutoCloseable> built = new ArrayList<>(); // guarded by itself
    private boolean closed; // guarded by built

    /** Keeps something that {@link #close} is to close. */
    public <T extends AutoCloseable> T keep(T part) {
        synchronized (built) {
            if (!closed) {
                built.add(part);
                return part;
            }
        }
        closeQuietly(part);
        throw ClientExceptions.closed("the client");
    }

    public void forget(AutoCloseable part) {
        synchronized (built) {
            built.remove(part);
        }
    }

    /** Keeps a member of a consumer group and starts it; at most one of each group. */
    public <M extends GroupMember & AutoCloseable> M keepConsumer(M member, Runnable start) {
        checkOpen();
        if (consumers.putIfAbsent(member.group(), member) != null) {
            throw ClientExceptions.invalid(
                    "this client has a consumer of group " + member.group() + " already",
                    "close it first, or open another WaybillClient for a second member");
        }
        try {
            start.run();
        } catch (RuntimeException e) {
            consumers.remove(member.group(), member);
            throw e;
        }
        return keep(member);
    }

    public <M extends GroupMember & AutoCloseable> void forgetConsumer(M member) {
        consumers.remove(member.group(), member);
        forget(member);
    }

    /** Makes and keeps a producer that brokers check; at most one of each group. */
    public <P extends CheckedProducer & AutoCloseable> P keepChecked(String group, Supplier<P> maker) {
        checkOpen();
        synchronized (checked) {
            if (checked.containsKey(group)) {
                throw ClientExceptions.invalid(
                        "this client has a transactional producer of group " + group + " already",
                        "use that one; it is safe for use from any thread");
            }
            P producer = maker.get();
            checked.put(group, producer);
            return keep(producer);
        }
    }

    public void forgetChecked(String group) {
        checked.remove(group);
    }

    /** The consumer of a group, or null. */
    public GroupMember consumer(String group) {
        return consumers.get(group);
    }

    /** The transactional producer of a group, or null. */
    public CheckedProducer checkedProducer(String group) {
        return checked.get(group);
    }

    private void checkOpen() {
        synchronized (built) {
            if (closed) {
                throw ClientExceptions.closed("the client");
            }
        }
    }

    /**
     * Closes everything, those that {@code first} names before the others. False if that was done before.
     *
     * @param first consumers: their progress is committed while the connections live
     */
    public boolean close(Predicate<AutoCloseable> first) {
        List<AutoCloseable> parts;
        synchronized (built) {
            if (closed) {
                return false;
            }
            closed = true;
            parts = new ArrayList<>(built);
        }
        parts.stream().filter(first).forEach(MemberRegistry::closeQuietly);
        parts.stream().filter(first.negate()).forEach(MemberRegistry::closeQuietly);
        return true;
    }

    private static void closeQuietly(AutoCloseable part) {
        try {
            part.close();
        } catch (Exception e) {
            LOG.warn("closing a part of the client failed; the other parts are closed all the same", e);
        }
    }
}
