/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.group;

import io.waybill.client.Evidence;
import io.waybill.client.Evidence.Fact;
import io.waybill.client.Groups;
import io.waybill.client.Groups.Finding;
import io.waybill.client.Groups.SubCause;
import java.time.Duration;
import java.time.Instant;

/**
 * What a finding says in words, and what to type next: every command the doctor names stands here. Brokers tell cause and evidence only, so that the words can
 * change without a broker. Pure: the same finding has the same words, whatever the time is; times are told from the moment the broker looked.
 */
final class DoctorTexts {
    /**
     * What people read.
     *
     * @param sentence what is wrong
     * @param advice what to do, or null
     */
    record Words(String sentence, String advice) {}

    private final Finding finding;
    private final Evidence evidence;
    private final String group;

    private DoctorTexts(Finding finding, String group) {
        this.finding = finding;
        this.evidence = finding.evidence();
        this.group = group;
    }

    /** @param group the group that was asked about */
    static Words of(Finding finding, String group) {
        return new DoctorTexts(finding, group).words();
    }

    private Words words() {
        return switch (finding.cause()) {
            case NOBODY_CONNECTED -> nobodyConnected();
            case NOT_SUBSCRIBED -> notSubscribed();
            case FILTERED_OUT -> filteredOut();
            case QUEUE_OWNED -> queueOwned();
            case QUEUE_REMOVED -> queueRemoved();
            case IN_FLIGHT -> inFlight();
            case LOCKED_BY_FAILING -> lockedByFailing();
            case IN_RETRY -> inRetry();
            case DELAYED -> delayed();
            case HALF -> half();
            case TRANSACTION_CONFLICT -> transactionConflict();
            case DEAD_LETTER -> deadLetter();
            case CONSUMED -> consumed();
            case BEYOND_OFFSET -> beyondOffset();
            case RATE_LIMITED -> rateLimited();
            case QUARANTINED -> quarantined();
            case CONSUME_DISABLED -> consumeDisabled();
            case CLIENT_ID_SHARED -> clientIdShared();
            case CLOCK_AHEAD -> clockAhead();
            case NOT_FOUND -> notFound();
            case OTHER -> newer();
        };
    }

    /** The name and the facts are all there is: they stand beside it. */
    private Words newer() {
        return new Words(
                "The broker names a cause that this command does not know: " + finding.causeName() + ".",
                "ask with the waybill command of the broker's version");
    }

    private SubCause subCause() {
        return finding.subCause() == null ? SubCause.OTHER : finding.subCause();
    }

    // ---- members and subscriptions

    private Words nobodyConnected() {
        Instant lastPull = evidence.time(Fact.LAST_PULL);
        return switch (subCause()) {
            case NO_GROUP ->
                new Words("There is no group " + group + " here, and nobody is connected for it.", startConsumers());
            case NO_MEMBER ->
                new Words(
                        "Nobody is connected for group " + group
                                + (lastPull == null
                                        ? "."
                                        : "; the last was " + text(Fact.LAST_CLIENT) + " on " + ago(lastPull) + "."),
                        startConsumers());
            default -> newer();
        };
    }

    private Words notSubscribed() {
        String names = String.join(", ", evidence.names(Fact.SUBSCRIBED_TO));
        return new Words(
                number(Fact.MEMBERS) + " members are connected, and none subscribes to " + finding.topic()
                        + "; they subscribe to " + (names.isEmpty() ? "nothing" : names) + ".",
                "subscribe the consumers of the group to " + finding.topic() + "; who is connected: " + members());
    }

    private Words filteredOut() {
        String tags = evidence.text(Fact.TAGS);
        return new Words(
                "The group does not want it: it subscribes to '" + text(Fact.SUBSCRIPTION) + "', the message has "
                        + (tags == null ? "no tag" : "tag '" + tags + "'")
                        + (subCause() == SubCause.PASSED_OVER ? " and was passed over." : "."),
                "change the subscription, or send it with another tag; to read it all the same: " + replay("-check"));
    }

    private Words consumeDisabled() {
        String enableGroup = "switch it on again: waybill group settings " + group + " --enabled true";
        return switch (subCause()) {
            case GROUP -> new Words("Consuming is switched off for the group (consumeEnable is false).", enableGroup);
            case TOPIC ->
                new Words(
                        "Topic " + finding.topic() + " does not allow reading (perm is " + number(Fact.PERM) + ").",
                        "let the topic be read again: waybill topic settings " + finding.topic());
            case BROADCAST ->
                new Words(
                        "The members of the group want to broadcast and may not (consumeBroadcastEnable is false).",
                        enableGroup);
            default -> newer();
        };
    }

    private Words clientIdShared() {
        return new Words(
                evidence.names(Fact.ADDRESSES).size() + " processes use the client id " + text(Fact.CLIENT) + " ("
                        + String.join(", ", evidence.names(Fact.ADDRESSES))
                        + "): they count as one member, and each reads the queues"
                        + " of that one; in order, one of them works and the others wait.",
                "give each process an instance name of its own, in containers too; then start them again");
    }

    private Words rateLimited() {
        return new Words(
                "The group gets at most " + number(Fact.RATE) + " messages per second from this broker (" + Groups.RATE
                        + "),"
                        + " and " + number(Fact.MESSAGES_BEFORE) + " are before it in its queue alone: at least "
                        + length(Duration.ofSeconds(number(Fact.SECONDS_AT_LEAST))) + " to go.",
                "wait, or raise the limit: waybill group settings " + group + " --rate N");
    }

    // ---- queues

    private Words queueRemoved() {
        return new Words(
                "It stands in queue " + finding.queueId() + ", and topic " + finding.topic() + " has only "
                        + number(Fact.READ_QUEUE_NUMS)
                        + " to read since it was made smaller: no consumer asks for that queue.",
                "give the topic its queues back until they are read: waybill topic create " + finding.topic()
                        + " --queues " + (finding.queueId() + 1));
    }

    private Words queueOwned() {
        return switch (subCause()) {
            case POPS ->
                new Words(
                        "The group pops: whoever of its " + number(Fact.MEMBERS) + " members asks next for queue "
                                + finding.queueId() + " of " + finding.topic() + " goes on there; "
                                + number(Fact.IN_FLIGHT) + " messages of it are in hand, "
                                + number(Fact.MESSAGES_BEFORE) + " are before this one.",
                        startConsumers());
            case NO_READER -> new Words(noReader(), startConsumers());
            case ONE_READER -> new Words(oneReader(), lookAtClient(text(Fact.OWNER)));
            default -> newer();
        };
    }

    private String noReader() {
        String last = evidence.text(Fact.LAST_OWNER);
        return "No member reads queue " + finding.queueId() + " of " + finding.topic() + ": " + number(Fact.MEMBERS)
                + " are connected"
                + (last == null
                        ? ", and none has asked for this queue since the broker started."
                        : ", and " + last + ", which read it last, is gone.")
                + withoutTopic();
    }

    private String withoutTopic() {
        int named = evidence.names(Fact.WITHOUT_TOPIC).size();
        if (named == 0) {
            return "";
        }
        long all = evidence.number(Fact.WITHOUT_TOPIC_COUNT) == null ? named : number(Fact.WITHOUT_TOPIC_COUNT);
        return " Of these, " + evidence.names(Fact.WITHOUT_TOPIC)
                + (all > named ? " and " + (all - named) + " more" : "")
                + " do not subscribe to " + finding.topic()
                + ", and clients share out its queues among all members: what"
                + " falls to them the broker brings to the others through %RETRY%" + group + ".";
    }

    private String oneReader() {
        Instant since = evidence.time(Fact.OWNER_SINCE);
        Instant inFlightSince = evidence.time(Fact.IN_FLIGHT_SINCE);
        Instant lastPull = evidence.time(Fact.LAST_PULL);
        String asks = lastPull == null ? "" : "; it has not asked for more since " + ago(lastPull);
        return text(Fact.OWNER) + " owns queue " + finding.queueId() + " of " + finding.topic()
                + (since == null ? "" : " since " + at(since))
                + (number(Fact.IN_FLIGHT) == 0
                        ? " and has nothing in hand"
                        : ", has " + number(Fact.IN_FLIGHT) + " messages in hand"
                                + (inFlightSince == null ? "" : ", the oldest since " + ago(inFlightSince)))
                + (evidence.isSet(Fact.ASKS_FOR_MORE) ? "; it still asks for more" : asks)
                + ". " + number(Fact.MESSAGES_BEFORE) + " messages are before this one.";
    }

    private Words inFlight() {
        String client = evidence.text(Fact.CLIENT);
        Instant since = evidence.time(Fact.SINCE);
        String who = client == null ? "A client" : client;
        String advice = client == null ? startConsumers() : lookAtClient(client);
        return switch (subCause()) {
            case POPPED ->
                new Words(
                        who + " popped it on " + ago(since) + " (delivery " + number(Fact.DELIVERIES)
                                + ") and has not acknowledged it; it can be popped again at "
                                + at(evidence.time(Fact.INVISIBLE_UNTIL)) + ".",
                        advice);
            case PULLED ->
                new Words(
                        who + " has it" + (since == null ? "" : " since " + ago(since))
                                + " and has not acknowledged it.",
                        advice);
            default -> newer();
        };
    }

    private Words lockedByFailing() {
        long head = number(Fact.FAILING_OFFSET);
        String message = evidence.text(Fact.FAILING_MESSAGE);
        String key = evidence.text(Fact.FAILING_KEY);
        String client = evidence.text(Fact.CLIENT);
        Long held = evidence.number(Fact.LOCK_HELD_MILLIS);
        Instant since = evidence.time(Fact.IN_FLIGHT_SINCE);
        Long deliveries = evidence.number(Fact.DELIVERIES);
        return new Words(
                "Queue " + finding.queueId() + " is consumed in order and stands still at offset " + head
                        + (finding.offset() == head ? ", which is this message" : "") + ": "
                        + (client == null ? "a client" : client) + " holds the queue"
                        + (held == null ? "" : " since " + at(finding.at().minusMillis(held))) + " and has "
                        + (message == null ? "the message at offset " + head : "message " + message)
                        + (key == null ? "" : " (key " + key + ")")
                        + (since == null ? "" : " in hand since " + ago(since))
                        + (deliveries == null || deliveries < 2 ? "" : ", handed out " + deliveries + " times")
                        + " without progress.",
                "mend the handler or the message: " + trace(message == null ? "..." : message)
                        + "; or let the group step aside for such keys: waybill group settings " + group
                        + " --quarantine-after 5");
    }

    // ---- what waits elsewhere

    private Words inRetry() {
        return switch (subCause()) {
            case TOPIC_TOTAL ->
                new Words(
                        number(Fact.MESSAGES) + " messages of " + finding.topic()
                                + " failed and wait to be delivered again.",
                        "their number over time: waybill group backlog " + group);
            case MESSAGE ->
                new Words(
                        inRetryOne(),
                        "nothing, it is delivered again by itself; its story: " + trace(finding.messageId()));
            default -> newer();
        };
    }

    private String inRetryOne() {
        String client = evidence.text(Fact.GIVEN_BACK_BY);
        Instant due = evidence.time(Fact.DELIVER_TIME);
        long tries = number(Fact.TRY);
        Long most = evidence.number(Fact.MAX_TRIES);
        return "It failed " + tries + " times" + (client == null ? "" : ", last at " + client)
                + ", and is delivered again at " + at(due) + ", " + fromNow(due)
                // The client may have named a higher limit than the group's.
                + (most != null && tries <= most ? " (try " + tries + " of " + most + ")." : ".");
    }

    private Words delayed() {
        String unless = evidence.text(Fact.UNLESS);
        Instant due = evidence.time(Fact.DELIVER_TIME);
        String message = " --topic " + finding.topic() + " --message " + finding.messageId();
        return switch (subCause()) {
            case TOPIC_TOTAL ->
                new Words(
                        number(Fact.MESSAGES) + " messages for " + finding.topic() + " are delayed.",
                        "list them: waybill timer list --topic " + finding.topic());
            case MESSAGE ->
                new Words(
                        "It is delayed until " + at(due) + ", " + fromNow(due)
                                + (unless == null ? "." : ", unless a message comes that fits '" + unless + "'."),
                        "wait, or have it at once: waybill timer reschedule" + message
                                + " --in 1s; or call it back: waybill timer cancel" + message);
            default -> newer();
        };
    }

    private Words half() {
        String id = finding.messageId();
        String decide = "ask the owners of the producer, or decide by hand: waybill tx commit " + id
                + " --reason TEXT, waybill tx rollback " + id + " --reason TEXT; every check: waybill tx show " + id;
        String by = evidence.text(Fact.BY);
        return switch (subCause()) {
            case TOPIC_TOTAL ->
                new Words(
                        number(Fact.MESSAGES) + " messages for " + finding.topic()
                                + " wait for the decision of their transaction.",
                        "list them: waybill tx list --topic " + finding.topic());
            case OPEN ->
                new Words(
                        "Its transaction is open since " + ago(evidence.time(Fact.TRANSACTION_OPEN_SINCE))
                                + ": producer group " + text(Fact.PRODUCER_GROUP)
                                + (number(Fact.CHECKS) == 0
                                        ? " was not asked yet"
                                        : " was asked " + number(Fact.CHECKS) + " times without a decision")
                                + ", next check at " + at(evidence.time(Fact.NEXT_CHECK))
                                + (number(Fact.PRODUCERS_CONNECTED) > 0 ? "." : "; nobody of that group is connected."),
                        decide);
            case GIVEN_UP ->
                new Words(
                        "Its transaction was never decided and was given up on " + ago(evidence.time(Fact.GIVEN_UP_AT))
                                + (by == null ? "." : " (" + by + ")."),
                        decide);
            default -> newer();
        };
    }

    private Words transactionConflict() {
        long commits = number(Fact.LATE_COMMITS);
        long rollbacks = number(Fact.LATE_ROLLBACKS);
        return new Words(
                "Of " + (commits + rollbacks) + " transactions of " + finding.topic()
                        + " service and queue disagree: " + commits
                        + " were committed by their service after the queue had dropped the message, " + rollbacks
                        + " rolled back after it was delivered.",
                "list them: waybill tx list --conflicts --topic " + finding.topic());
    }

    private Words deadLetter() {
        return switch (subCause()) {
            case TOPIC_TOTAL ->
                new Words(
                        number(Fact.MESSAGES) + " messages of " + finding.topic()
                                + " are dead letters that nobody settled.",
                        "list them: waybill dlq list " + group);
            case OPEN ->
                new Words(
                        deadLetterOne("."),
                        "mend the cause, then: waybill dlq redrive " + group + " " + finding.offset()
                                + "; or give it up: waybill dlq discard " + group + " " + finding.offset()
                                + " --reason TEXT");
            case DISCARDED -> new Words(deadLetterOne("; it was discarded by hand."), null);
            case REDRIVEN -> new Words(deadLetterOne("; it was sent again by hand."), null);
            default -> newer();
        };
    }

    private String deadLetterOne(String end) {
        String reason = evidence.text(Fact.REASON);
        return "It is a dead letter of the group since " + ago(evidence.time(Fact.DEAD_SINCE)) + " after "
                + number(Fact.TRIES) + " tries" + (reason == null ? "" : ": " + reason) + end;
    }

    private Words quarantined() {
        String key = text(Fact.KEY);
        String reason = evidence.text(Fact.REASON);
        String why = reason == null ? "." : ": " + reason;
        String release = "mend the cause, then: waybill quarantine release " + group + " " + key + " --topic "
                + text(Fact.ORIGIN_TOPIC);
        return switch (subCause()) {
            case TOPIC_TOTAL ->
                new Words(
                        number(Fact.MESSAGES) + " messages of " + finding.topic() + " lie in quarantine.",
                        "list them: waybill quarantine list " + group);
            case KEY ->
                new Words(
                        "Its key " + key + " is in quarantine since " + ago(evidence.time(Fact.QUARANTINED_SINCE))
                                + why,
                        release);
            case SET_ASIDE ->
                new Words(
                        "Its key " + key + " is in quarantine; it was put aside on "
                                + ago(evidence.time(Fact.SET_ASIDE_AT)) + why,
                        release);
            case DISCARDED ->
                new Words(
                        "It was put aside on " + ago(evidence.time(Fact.SET_ASIDE_AT)) + " with its key " + key
                                + " and discarded by hand.",
                        "the whole story: " + trace(finding.messageId()));
            default -> newer();
        };
    }

    // ---- what is behind the group, or nowhere

    private Words consumed() {
        return switch (subCause()) {
            case EVERYTHING ->
                new Words(
                        "The group has consumed everything that is there for it.",
                        "if one message is missed, ask for it: waybill doctor group " + group + " --message ID");
            case MESSAGE ->
                new Words(
                        consumedOne(),
                        "look into the log of that client at that time; the whole story: "
                                + trace(finding.messageId()));
            default -> newer();
        };
    }

    private String consumedOne() {
        String by = evidence.text(Fact.ACKNOWLEDGED_BY);
        if (by == null) {
            return "The group has acknowledged it; by whom is no longer known.";
        }
        String deliveredTo = evidence.text(Fact.DELIVERED_TO);
        return "The group has consumed it: "
                + (deliveredTo == null ? "" : deliveredTo + " got it on " + at(evidence.time(Fact.DELIVERED_AT)) + ", ")
                + by + " acknowledged it on " + ago(evidence.time(Fact.ACKNOWLEDGED_AT)) + ".";
    }

    private Words beyondOffset() {
        Instant stored = evidence.time(Fact.STORED_AT);
        String advice = "to read it all the same: " + replay("-again") + "; or take the whole group back:"
                + " waybill group reset " + group + " --topic " + finding.topic() + " --to " + at(stored);
        String deliveredTo = evidence.text(Fact.DELIVERED_TO);
        return switch (subCause()) {
            case MOVED ->
                new Words(
                        "The group is past it and never got it: " + text(Fact.MOVED_BY)
                                + " moved the offset over it on " + ago(evidence.time(Fact.MOVED_AT)) + ".",
                        advice);
            case PASSED ->
                new Words(
                        "The group is past it: it goes on at offset " + number(Fact.GOES_ON_AT) + " of queue "
                                + finding.queueId() + ", and "
                                + (deliveredTo == null
                                        ? "nothing says that it was ever handed out or acknowledged"
                                        : "it was handed to " + deliveredTo + " on "
                                                + at(evidence.time(Fact.DELIVERED_AT))
                                                + " and nothing says that it was acknowledged")
                                + ". The offset was reset, or the group started behind it.",
                        advice);
            default -> newer();
        };
    }

    private Words clockAhead() {
        return new Words(
                "The broker's newest message is stamped " + at(finding.at()) + ", "
                        + Duration.ofMillis(number(Fact.AHEAD_MILLIS)).toMinutes()
                        + " minutes ahead of its clock: the clock was ahead once, and store times never go back. Replay,"
                        + " reset and search by time are wrong for what came since.",
                "set the machine's clock right if it is behind; else wait until it has caught up, or go on in a new"
                        + " data directory; until then use offsets instead of times");
    }

    private Words notFound() {
        String by = text(Fact.BY);
        return switch (subCause()) {
            case NO_TOPIC ->
                new Words(
                        "There is no topic " + finding.topic() + " on this broker.",
                        "check the name: waybill topic list");
            case UNKNOWN ->
                new Words(
                        "No message '" + text(Fact.ASKED) + "' is known to this broker: it was never stored here, or"
                                + " retention has removed it.",
                        find(text(Fact.ASKED)));
            case ROLLED_BACK ->
                new Words(
                        "Its transaction was rolled back on " + ago(evidence.time(Fact.ROLLED_BACK_AT)) + " by " + by
                                + ": nobody ever gets it.",
                        evidence.text(Fact.LATE_COMMIT_BY) == null
                                ? "the whole story: " + trace(finding.messageId())
                                : "its service committed, too late: waybill tx publish "
                                        + text(Fact.LATE_COMMIT_MESSAGE) + " --reason TEXT delivers it after all");
            case CANCELLED ->
                new Words(
                        "It was delayed and called back on " + ago(evidence.time(Fact.CANCELLED_AT)) + " (" + by
                                + "): nobody ever gets it.",
                        "send it again if that was wrong");
            case REMOVED ->
                new Words("It was stored here once and is gone: retention has removed it.", find(finding.messageId()));
            default -> newer();
        };
    }

    // ---- commands

    private String members() {
        return "waybill group members " + group;
    }

    private String startConsumers() {
        return "start a consumer of the group; who is connected: " + members();
    }

    private String lookAtClient(String client) {
        return "look what the client does (a stuck handler, a slow database): " + members() + " --client " + client
                + " --stacks";
    }

    private String replay(String suffix) {
        return "waybill replay " + finding.topic() + " --from " + at(evidence.time(Fact.STORED_AT)) + " --into " + group
                + suffix;
    }

    private static String trace(String id) {
        return "waybill message trace " + id;
    }

    private static String find(String id) {
        return "check the id and the topic; what every broker knows: " + trace(id);
    }

    // ---- values; what a broker should tell and does not is shown as a question mark

    private String text(Fact fact) {
        String text = evidence.text(fact);
        return text == null ? "?" : text;
    }

    private long number(Fact fact) {
        Long number = evidence.number(fact);
        return number == null ? 0 : number;
    }

    /** An instant, to the second, in UTC. */
    private static String at(Instant time) {
        return time == null ? "?" : Instant.ofEpochSecond(time.getEpochSecond()).toString();
    }

    private String ago(Instant time) {
        return time == null ? "?" : at(time) + ", " + length(Duration.between(time, finding.at())) + " ago";
    }

    private String fromNow(Instant time) {
        return (time == null ? "?" : length(Duration.between(finding.at(), time))) + " from now";
    }

    /** A length of time in its two largest units. */
    private static String length(Duration duration) {
        long seconds = Math.max(0, duration.toMillis()) / 1_000;
        if (seconds < 60) {
            return seconds + " s";
        }
        if (seconds < 3_600) {
            return seconds / 60 + " min " + seconds % 60 + " s";
        }
        if (seconds < 86_400) {
            return seconds / 3_600 + " h " + seconds % 3_600 / 60 + " min";
        }
        return seconds / 86_400 + " d " + seconds % 86_400 / 3_600 + " h";
    }
}
