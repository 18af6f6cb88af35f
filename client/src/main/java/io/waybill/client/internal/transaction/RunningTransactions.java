/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.transaction;

import io.waybill.client.Decision;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The transactional sends of this process, of all its clients: a check may arrive on the connection of any of them. What always holds: from before the
 * half message leaves until the broker has answered the decision, a check about it is answered from here and the listener is not asked; so the
 * listener never looks for a transaction that may still be running.
 *
 * <p>What stays when a send ends without the broker's answer is remembered within bounds: that the decision was given, or that the local transaction
 * was never begun.
 *
 * <p>Thread-safe.
 */
final class RunningTransactions {
    /** Of sends that ended without an answer; beyond, the oldest is forgotten and its listener is asked. */
    static final int MOST_REMEMBERED = 4_096;

    private static final RunningTransactions OF_PROCESS = new RunningTransactions();

    private record GroupedId(String group, String messageId) {}

    private final Map<GroupedId, List<SendRun>> runs = new HashMap<>(); // guarded by this
    private final Set<SendRun> remembered = new LinkedHashSet<>(); // guarded by this, eldest first

    static RunningTransactions ofProcess() {
        return OF_PROCESS;
    }

    /** Of one send; an application that sends a message object again has several of one id. */
    final class SendRun {
        private final GroupedId key;
        private final long bornMillis;
        private String broker; // null until the half message is known to be stored
        private long position;
        private Decision decision = Decision.UNKNOWN;
        private boolean running = true;

        private SendRun(GroupedId key, long bornMillis) {
            this.key = key;
            this.bornMillis = bornMillis;
        }

        /** The time of birth that travels with the half message; no other send of the id that is kept in mind has the same. */
        long bornMillis() {
            return bornMillis;
        }

        /** The half message stands there. */
        void stored(String brokerName, long logPosition) {
            synchronized (RunningTransactions.this) {
                broker = brokerName;
                position = logPosition;
            }
        }

        /** The local transaction has ended: what it decided is the answer from now on. */
        void decided(Decision outcome) {
            synchronized (RunningTransactions.this) {
                decision = outcome;
                running = outcome == Decision.UNKNOWN;
            }
        }

        /** The broker has answered, or will have to ask the listener. */
        void ended() {
            synchronized (RunningTransactions.this) {
                remove(this);
            }
        }

        /** The half message may be stored, and the local transaction was not begun and never will be. */
        void abandoned() {
            remember(Decision.ROLLBACK);
        }

        /** The decision may not have reached the broker. */
        void untold() {
            if (decision == Decision.UNKNOWN) {
                ended();
            } else {
                remember(decision);
            }
        }

        private void remember(Decision outcome) {
            synchronized (RunningTransactions.this) {
                decision = outcome;
                running = false;
                remembered.add(this);
                if (remembered.size() > MOST_REMEMBERED) {
                    remove(remembered.iterator().next());
                }
            }
        }

        private boolean isAt(String brokerName, long logPosition) {
            return broker != null && position == logPosition && (brokerName == null || broker.equals(brokerName));
        }
    }

    /**
     * A half message is about to leave.
     *
     * @param nowMillis the time of its birth; a send of the same id in the same millisecond gets a later one, by which their checks differ
     */
    synchronized SendRun begin(String group, String messageId, long nowMillis) {
        GroupedId key = new GroupedId(group, messageId);
        List<SendRun> same = runs.computeIfAbsent(key, k -> new ArrayList<>(1));
        long bornMillis = nowMillis;
        for (SendRun other : same) {
            bornMillis = Math.max(bornMillis, other.bornMillis + 1);
        }
        SendRun run = new SendRun(key, bornMillis);
        same.add(run);
        return run;
    }

    private void remove(SendRun run) {
        remembered.remove(run);
        List<SendRun> same = runs.get(run.key);
        if (same != null && same.remove(run) && same.isEmpty()) {
            runs.remove(run.key);
        }
    }

    /**
     * What to answer to a check, UNKNOWN while it runs; null if nothing is known here and the listener must be asked.
     *
     * @param broker the name of the broker that asks, or null
     * @param position of the half message in its log
     * @param bornMillis of the half message
     */
    synchronized Decision answer(String group, String messageId, String broker, long position, long bornMillis) {
        List<SendRun> same = runs.getOrDefault(new GroupedId(group, messageId), List.of());
        Decision answer = null;
        for (Iterator<SendRun> all = same.iterator(); all.hasNext(); ) {
            SendRun run = all.next();
            if (run.isAt(broker, position)) {
                return run.decision;
            }
            if (run.running) {
                // Another half of the same id, but the listener is asked by the id: its work is not to be looked for
                // yet.
                answer = Decision.UNKNOWN;
            } else if (answer == null && run.broker == null && run.bornMillis == bornMillis) {
                answer = run.decision;
            }
        }
        return answer;
    }

    /** How many sends are kept in mind. */
    synchronized int size() {
        return runs.values().stream().mapToInt(List::size).sum();
    }
}
