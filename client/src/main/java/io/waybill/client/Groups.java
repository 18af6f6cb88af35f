/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Consumer groups: what they still have to do, why they do not, and how they are set. Reached by {@link Admin#groups()}; each call asks the brokers anew and waits. */
public interface Groups {
    /** Attribute: at most so many messages per second and broker; 0 = no limit. */
    String RATE = "waybill.rate";

    /** Attribute: after so many failures of a message its key is quarantined (ordered consumers). */
    String QUARANTINE_AFTER = "waybill.quarantine.after";

    /** Names of all groups the brokers know, sorted. */
    List<String> names();

    /** What a group still has to do, counted by the brokers. */
    Backlog backlog(String group);

    /** Why a group does not get messages: one finding for each cause, the most telling first; what is in order is said too. */
    List<Finding> diagnose(String group, Subject subject);

    /** The living members of a group, by client id. */
    List<Member> members(String group);

    /**
     * What a member says about itself.
     *
     * @param stacks true to get the stacks of its threads too
     * @throws WaybillException of kind NOT_FOUND if there is no such member
     */
    MemberInfo runningInfo(String group, String clientId, boolean stacks);

    /**
     * Lets one member handle one message now, whatever the progress of the group is; progress does not change.
     *
     * @param clientId the member
     * @param storedId the message: stored id or message id
     */
    HandledOnce consumeDirectly(String group, String clientId, String topic, String storedId);

    /** How a group is set; what an unknown group would get if none is set. */
    GroupSettings settings(String group);

    /** Sets a group at every broker; makes it if it is unknown. */
    void put(GroupSettings settings);

    /**
     * Changes single attributes of a group at every broker.
     *
     * @param set these get these values
     * @param remove these go back to their defaults
     */
    void changeAttributes(String group, Map<String, String> set, Set<String> remove);

    /** Forgets a group with its progress, retries and dead letters. It must be at rest. */
    void delete(String group);

    /**
     * What a group still has to do. A message is counted once.
     *
     * @param group the group
     * @param topics each topic, sorted by name
     * @param total all of them
     */
    record Backlog(String group, List<TopicBacklog> topics, TopicBacklog total) {}

    /**
     * What a group still has to do in a topic.
     *
     * @param topic the topic, or null in a total
     * @param ready could be handed out now
     * @param inFlight handed out, not acknowledged
     * @param retrying wait for their next delivery after a failure
     * @param delayed wait for their time
     * @param half wait for the decision of their transaction
     * @param dead open dead letters
     * @param quarantined messages of quarantined keys
     * @param exact false if a broker stopped counting at its limit: the numbers are lower bounds
     */
    record TopicBacklog(
            String topic,
            Amount ready,
            Amount inFlight,
            Amount retrying,
            Amount delayed,
            Amount half,
            Amount dead,
            Amount quarantined,
            boolean exact) {}

    /**
     * An amount of messages.
     *
     * @param messages how many
     * @param age how long the oldest has been stored, or null if there is none or it is not told
     */
    record Amount(long messages, Duration age) {}

    /**
     * What a diagnosis is about: the group as a whole, a topic, or messages.
     *
     * @param topic a topic, or null
     * @param messageId one message, or null
     * @param key messages with a business key, or null
     */
    record Subject(String topic, String messageId, String key) {
        /** The group in all its topics. */
        public static Subject everything() {
            return new Subject(null, null, null);
        }

        public static Subject topic(String topic) {
            return new Subject(topic, null, null);
        }

        /** @param topic its topic, or null to let the brokers look everywhere */
        public static Subject message(String topic, String messageId) {
            return new Subject(topic, messageId, null);
        }

        /** @param topic its topic, or null to let the brokers look everywhere */
        public static Subject key(String topic, String key) {
            return new Subject(topic, null, key);
        }
    }

    /** Why a message is not consumed. */
    enum Cause {
        /** No member lives. */
        NOBODY_CONNECTED,
        /** Members live, but none has subscribed to the topic. */
        NOT_SUBSCRIBED,
        /** The filter of the group leaves it out. */
        FILTERED_OUT,
        /** A member owns the queue and does not fetch from it, or not fast enough. */
        QUEUE_OWNED,
        /** It stands in a queue that the topic no longer has: it was made smaller. */
        QUEUE_REMOVED,
        /** An ordered queue is held by a message that fails. */
        LOCKED_BY_FAILING,
        /** It failed and waits for its next delivery. */
        IN_RETRY,
        /** It waits for its time. */
        DELAYED,
        /** It waits for the decision of its transaction. */
        HALF,
        /** The group has given it up. */
        DEAD_LETTER,
        /** The progress of the group is behind it: it was skipped or reset away. */
        BEYOND_OFFSET,
        /** The group gets no more per second. */
        RATE_LIMITED,
        /** Its key is quarantined. */
        QUARANTINED,
        /** Of some transactions of the topic service and queue disagree: a decision came too late. */
        TRANSACTION_CONFLICT,
        /** It was consumed. */
        CONSUMED,
        /** A member has it and has not answered yet. */
        IN_FLIGHT,
        /** Consumption is switched off for the group. */
        CONSUME_DISABLED,
        /** Two processes use one client id. */
        CLIENT_ID_SHARED,
        /** The broker's store is ahead of its clock. */
        CLOCK_AHEAD,
        /** No such message is known, or it is gone: its sub-cause says how. */
        NOT_FOUND,
        /** One this client does not know; {@link Finding#causeName()} names it. */
        OTHER
    }

    /**
     * Which of several things a cause stands for. Decide by it, not by the facts that are there. NOT_SUBSCRIBED, QUEUE_REMOVED, LOCKED_BY_FAILING,
     * RATE_LIMITED, TRANSACTION_CONFLICT, CLIENT_ID_SHARED and CLOCK_AHEAD stand for one thing and have none.
     */
    enum SubCause {
        /** IN_RETRY, DELAYED, HALF, DEAD_LETTER, QUARANTINED: the messages of a topic that wait so, by their number. */
        TOPIC_TOTAL,
        /** IN_RETRY, DELAYED, CONSUMED: one message. */
        MESSAGE,
        /** CONSUMED: everything there is for the group. */
        EVERYTHING,
        /** NOBODY_CONNECTED: the broker does not know the group. */
        NO_GROUP,
        /** NOBODY_CONNECTED: the broker knows the group. */
        NO_MEMBER,
        /** FILTERED_OUT: the group has not come to it yet. */
        AHEAD,
        /** FILTERED_OUT: the group went past it. */
        PASSED_OVER,
        /** QUEUE_OWNED: the group pops, so that no member holds the queue. */
        POPS,
        /** QUEUE_OWNED: no member reads the queue. */
        NO_READER,
        /** QUEUE_OWNED: one member reads the queue. */
        ONE_READER,
        /** IN_FLIGHT: a client popped it. */
        POPPED,
        /** IN_FLIGHT: a client pulled it. */
        PULLED,
        /** HALF: its transaction is open. DEAD_LETTER: nobody settled it. */
        OPEN,
        /** HALF: nobody decided its transaction, and nobody is asked any more. */
        GIVEN_UP,
        /** DEAD_LETTER: an operator sent it again. */
        REDRIVEN,
        /** DEAD_LETTER, QUARANTINED: an operator gave it up. */
        DISCARDED,
        /** QUARANTINED: its key is; it still stands in its queue. */
        KEY,
        /** QUARANTINED: it is set aside with its key. */
        SET_ASIDE,
        /** BEYOND_OFFSET: somebody moved the offset over it. */
        MOVED,
        /** BEYOND_OFFSET: nobody is known to have moved it. */
        PASSED,
        /** CONSUME_DISABLED: the group may not consume. */
        GROUP,
        /** CONSUME_DISABLED: the topic may not be read. */
        TOPIC,
        /** CONSUME_DISABLED: the members may not broadcast. */
        BROADCAST,
        /** NOT_FOUND: there is no such topic. */
        NO_TOPIC,
        /** NOT_FOUND: no such message is known. */
        UNKNOWN,
        /** NOT_FOUND: its transaction was rolled back. */
        ROLLED_BACK,
        /** NOT_FOUND: its delay was cancelled. */
        CANCELLED,
        /** NOT_FOUND: retention has removed it. */
        REMOVED,
        /** One this client does not know; {@link Finding#causeName()} names it. */
        OTHER
    }

    /**
     * One cause with its evidence. What it says in words is up to whoever shows it; {@code waybill doctor group} has sentences for each.
     *
     * @param broker the broker that found it
     * @param at when, by the clock of the broker: what its times are compared with
     * @param cause the cause
     * @param subCause which of several things the cause stands for, or null if it stands for one
     * @param causeName both as the broker names them: {@code CAUSE} or {@code CAUSE/SUB_CAUSE}; tells more than OTHER
     * @param topic the topic, or null
     * @param queueId the queue, or -1
     * @param offset the offset, or -1
     * @param messageId what to call the message by: its message id, else its stored id; or null
     * @param evidence the facts behind it
     */
    record Finding(
            String broker,
            Instant at,
            Cause cause,
            SubCause subCause,
            String causeName,
            String topic,
            int queueId,
            long offset,
            String messageId,
            Evidence evidence) {}

    /**
     * A living member.
     *
     * @param clientId its id
     * @param address from where it is connected
     * @param language what its library is written in
     */
    record Member(String clientId, String address, String language) {}

    /**
     * What a member says about itself.
     *
     * @param clientId its id
     * @param properties such as its beginning and its kind, by the names of stock clients
     * @param subscriptions filter by topic
     * @param queues the queues it holds: offset it goes on with and messages it has prefetched
     * @param topics how it fares, by topic
     * @param stacks the stacks of its threads, or null if not asked for
     */
    record MemberInfo(
            String clientId,
            Map<String, String> properties,
            Map<String, String> subscriptions,
            List<HeldQueue> queues,
            Map<String, Rates> topics,
            String stacks) {}

    /**
     * A queue a member holds.
     *
     * @param queue the queue
     * @param committed everything below is done
     * @param cached messages prefetched, not done
     * @param locked true if it holds the lock of an ordered queue
     * @param lastPull when it asked for messages last, or null
     */
    record HeldQueue(MessageQueue queue, long committed, long cached, boolean locked, Instant lastPull) {}

    /**
     * How a member fares with a topic.
     *
     * @param pullMillis how long a pull takes on average
     * @param pulledPerSecond messages per second that arrive
     * @param handleMillis how long the handler takes on average
     * @param handledPerSecond messages per second that succeed
     * @param failedPerSecond messages per second that fail
     * @param failedLastHour messages that failed within the last hour
     */
    record Rates(
            double pullMillis,
            double pulledPerSecond,
            double handleMillis,
            double handledPerSecond,
            double failedPerSecond,
            long failedLastHour) {}

    /**
     * How a member handled a message by order.
     *
     * @param outcome CR_SUCCESS, CR_LATER, CR_ROLLBACK, CR_COMMIT, CR_THROW_EXCEPTION or CR_RETURN_NULL
     * @param remark what it threw, or null
     * @param took how long it took
     */
    record HandledOnce(String outcome, String remark, Duration took) {
        /** True if it was handled. */
        public boolean success() {
            return outcome.equals("CR_SUCCESS") || outcome.equals("CR_COMMIT");
        }
    }

    /**
     * How a group is set.
     *
     * @param group the group
     * @param enabled false: nobody gets anything
     * @param broadcastAllowed false: members that want every message are refused
     * @param ordered it is meant to be consumed in order
     * @param maxRetries so many retries, then it is a dead letter; -1 = no limit
     * @param backoff how long a failed message waits, or null for the broker's delay levels
     * @param attributes further ones, such as {@link #RATE}
     */
    record GroupSettings(
            String group,
            boolean enabled,
            boolean broadcastAllowed,
            boolean ordered,
            int maxRetries,
            Backoff backoff,
            Map<String, String> attributes) {
        /** As a broker makes one by itself. */
        public static GroupSettings defaults(String group) {
            return new GroupSettings(group, true, true, false, 16, null, Map.of());
        }

        public GroupSettings enabled(boolean value) {
            return new GroupSettings(group, value, broadcastAllowed, ordered, maxRetries, backoff, attributes);
        }

        public GroupSettings broadcastAllowed(boolean value) {
            return new GroupSettings(group, enabled, value, ordered, maxRetries, backoff, attributes);
        }

        public GroupSettings ordered(boolean value) {
            return new GroupSettings(group, enabled, broadcastAllowed, value, maxRetries, backoff, attributes);
        }

        public GroupSettings maxRetries(int value) {
            return new GroupSettings(group, enabled, broadcastAllowed, ordered, value, backoff, attributes);
        }

        public GroupSettings backoff(Backoff value) {
            return new GroupSettings(group, enabled, broadcastAllowed, ordered, maxRetries, value, attributes);
        }

        /** @param value null removes it */
        public GroupSettings attribute(String name, String value) {
            Map<String, String> more = new LinkedHashMap<>(attributes);
            if (value == null) {
                more.remove(name);
            } else {
                more.put(name, value);
            }
            return new GroupSettings(group, enabled, broadcastAllowed, ordered, maxRetries, backoff, more);
        }

        /** Messages per second and broker, if limited. */
        public Optional<String> rate() {
            return Optional.ofNullable(attributes.get(RATE));
        }
    }

    /**
     * How long a failed message waits before its next delivery: steps one after the other (the last one again and again), or growing by a factor.
     *
     * @param steps the waits in order, or empty
     * @param initial the first wait, or null
     * @param max the longest wait, or null
     * @param multiplier the factor, at least 2, or 0
     */
    record Backoff(List<Duration> steps, Duration initial, Duration max, long multiplier) {
        public static Backoff steps(Duration... waits) {
            return new Backoff(List.of(waits), null, null, 0);
        }

        public static Backoff exponential(Duration initial, Duration max, long multiplier) {
            return new Backoff(List.of(), initial, max, multiplier);
        }

        /** The wait before retry number n, the first is 1. */
        public Duration waitBefore(int retry) {
            if (!steps.isEmpty()) {
                return steps.get(Math.min(Math.max(1, retry), steps.size()) - 1);
            }
            Duration wait = initial;
            for (int i = 1; i < retry && wait.compareTo(max) < 0; i++) {
                wait = wait.multipliedBy(multiplier);
            }
            return wait.compareTo(max) < 0 ? wait : max;
        }

        /** For tables. */
        @Override
        public String toString() {
            if (steps.isEmpty()) {
                return initial + " times " + multiplier + " up to " + max;
            }
            List<String> texts = new ArrayList<>();
            steps.forEach(step -> texts.add(step.toString()));
            return String.join(" ", texts);
        }
    }
}
