/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Stored messages by key and by id, and what happened to them. Looking does not consume: the progress of no group changes. Reached by
 * {@link Admin#messages()}; each call asks the brokers anew and waits.
 */
public interface Messages {
    /** Messages of a topic with this key (or message id), oldest first. */
    List<ReceivedMessage> byKey(String topic, String key, int max);

    /** Messages of a topic with this key that were stored in {@code [from, to]}, oldest first. */
    List<ReceivedMessage> byKey(String topic, String key, int max, Instant from, Instant to);

    /** A message by its message id or its stored id. */
    Optional<ReceivedMessage> byId(String topic, String id);

    /**
     * What happened to a message, told by the brokers' own records; one history for each stored copy, empty if none is known.
     *
     * @param topic its topic, or null to let the brokers look everywhere
     * @param id message id or stored id
     */
    List<MessageHistory> history(String topic, String id);

    /** Like {@link #history}, of all messages with a business key. */
    List<MessageHistory> historyByKey(String topic, String key);
}
