/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Messages a group has given up. They stay readable until retention removes them; being re-driven or discarded only settles them. Reached by
 * {@link Admin#deadLetters()}; each call asks the brokers anew and waits.
 */
public interface DeadLetters {
    /**
     * The dead letters of a group, the oldest first.
     *
     * @param fromOffset from this offset on in the dead-letter queue of each broker; 0 = the first kept
     * @param max at most so many
     * @param settled true to see also those re-driven and discarded
     */
    Page list(String group, long fromOffset, int max, boolean settled);

    /** A dead letter with body and properties. */
    Optional<ReceivedMessage> read(String group, DeadLetter letter);

    /**
     * Sends dead letters to where they were sent first, and settles each in the same step.
     *
     * @param by who does it; recorded
     * @param reason why; recorded; may be null
     * @return one outcome for each letter, in the order of the work
     */
    List<Outcome> redrive(String group, Selection which, Redrive how, String by, String reason);

    /**
     * Settles dead letters without sending them anywhere.
     *
     * @param by who does it; recorded
     * @param reason why; recorded; may be null
     */
    List<Outcome> discard(String group, Selection which, String by, String reason);

    /**
     * Some of the dead letters.
     *
     * @param group the group
     * @param total all that are kept
     * @param open those nobody has settled
     * @param deadLetters those asked for
     */
    record Page(String group, long total, long open, List<DeadLetter> deadLetters) {}

    /**
     * One dead letter.
     *
     * @param broker the broker that keeps it
     * @param offset its offset in the group's dead-letter queue there
     * @param storedId broker address and log position
     * @param messageId its id, the same as when it was sent
     * @param originTopic where it was sent
     * @param originStoredId its stored id there, or null
     * @param tries how often it was delivered without success
     * @param firstFailed when it was sent back first, or null
     * @param deadSince when it became a dead letter, or null
     * @param reason one sentence, or null
     * @param keys its business keys
     * @param tag its tag, or null
     * @param bodyBytes the length of its body
     * @param state whether it is settled
     */
    record DeadLetter(
            String broker,
            long offset,
            String storedId,
            String messageId,
            String originTopic,
            String originStoredId,
            int tries,
            Instant firstFailed,
            Instant deadSince,
            String reason,
            List<String> keys,
            String tag,
            int bodyBytes,
            State state) {}

    /** Whether a dead letter is settled. */
    enum State {
        /** Nobody has decided. */
        OPEN,
        /** Sent again. */
        REDRIVEN,
        /** Discarded: it stays listed and is never delivered. */
        DISCARDED
    }

    /**
     * Which dead letters.
     *
     * @param broker only of this broker, or null for all
     * @param offsets these; empty = all that are open
     */
    record Selection(String broker, List<Long> offsets) {
        public Selection {
            offsets = List.copyOf(offsets);
        }

        /** All that are open when the work begins. */
        public static Selection allOpen() {
            return new Selection(null, List.of());
        }

        /** These of one broker; the broker may be null if there is only one. */
        public static Selection at(String broker, long... offsets) {
            List<Long> list = new ArrayList<>(offsets.length);
            for (long offset : offsets) {
                list.add(offset);
            }
            return new Selection(broker, list);
        }
    }

    /**
     * How to re-drive.
     *
     * @param maxPerSecond at most so many in a second; 0 = no limit
     * @param properties set these first; a null or empty value removes one
     * @param body instead of the old body, or null
     * @param toGroupOnly true: only the group that gave it up gets it again; false: every subscriber of the topic
     */
    record Redrive(double maxPerSecond, Map<String, String> properties, byte[] body, boolean toGroupOnly) {
        /** Unchanged, to the topic, without a limit. */
        public static Redrive unchanged() {
            return new Redrive(0, Map.of(), null, false);
        }

        public Redrive rate(double messagesPerSecond) {
            return new Redrive(messagesPerSecond, properties, body, toGroupOnly);
        }

        public Redrive property(String name, String value) {
            Map<String, String> more = new LinkedHashMap<>(properties);
            more.put(name, value);
            return new Redrive(maxPerSecond, more, body, toGroupOnly);
        }

        public Redrive body(byte[] bytes) {
            return new Redrive(maxPerSecond, properties, bytes, toGroupOnly);
        }

        public Redrive onlyToTheGroup() {
            return new Redrive(maxPerSecond, properties, body, true);
        }
    }

    /**
     * What became of one dead letter.
     *
     * @param broker the broker that keeps it
     * @param offset its offset there
     * @param answer what became of it
     * @param storedId where the new copy lies, or null
     * @param text more about a failure, or null
     */
    record Outcome(String broker, long offset, Answer answer, String storedId, String text) {
        /** The answers. */
        public enum Answer {
            /** Sent again and settled. */
            REDRIVEN,
            /** Settled without being sent. */
            DISCARDED,
            /** Somebody has settled it before; nothing was done. */
            ALREADY_SETTLED,
            /** No dead letter lies there. */
            NOT_FOUND,
            /** It is as it was; the text says why. */
            FAILED
        }
    }
}
