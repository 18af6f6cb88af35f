/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;
import java.util.List;

/**
 * Keys whose messages an ordered group cannot handle at the moment: they are quarantined in order while the others go on. Reached by
 * {@link Admin#quarantine()}; each call asks the brokers anew and waits.
 */
public interface Quarantine {
    /** The quarantined keys of a group, the longest quarantined first. */
    List<QuarantinedKey> list(String group);

    /**
     * Quarantines a key by hand: its messages are kept from the group from now on.
     *
     * @return how many brokers did; 0 if it was quarantined everywhere before
     */
    int add(String group, String topic, String key, String reason, String by);

    /**
     * Gives the quarantined messages of a key back to the group, in their order and before any later one of the key.
     *
     * @return how many messages
     * @throws WaybillException of kind NOT_FOUND if the key is not quarantined
     */
    long release(String group, String topic, String key, String by);

    /**
     * Drops the quarantined messages of a key; later ones are delivered again.
     *
     * @return how many messages
     * @throws WaybillException of kind NOT_FOUND if the key is not quarantined
     */
    long discard(String group, String topic, String key, String reason, String by);

    /**
     * A quarantined key.
     *
     * @param broker the broker that keeps it
     * @param topic the topic
     * @param key the ordering key
     * @param messages how many of its messages are quarantined
     * @param since when it was quarantined
     * @param reason why
     * @param by who quarantined it: a member of the group or an operator; or null
     * @param state QUARANTINED; RELEASING until the group has consumed what was given back; DISCARDING until all that
     *     was quarantined when an operator discarded it is settled, also over a failure or a restart of the broker
     */
    record QuarantinedKey(
            String broker,
            String topic,
            String key,
            long messages,
            Instant since,
            String reason,
            String by,
            String state) {}
}
