/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.util.List;
import java.util.Map;

/**
 * Questions and changes for tools and scripts, one small interface for each thing that is kept. Each call of them asks the servers anew and waits;
 * nothing is cached, so that a part may be kept and used as long as the client is open. Safe for use from any thread.
 */
public interface Admin {
    /** Topics: names, queues, attributes. */
    Topics topics();

    /** Consumer groups: backlog, doctor, members, settings. */
    Groups groups();

    /** How far the groups are, and moving them. */
    GroupOffsets offsets();

    /** Stored messages by key and by id, and what happened to them. */
    Messages messages();

    /** Transactions and the questions about them. */
    TransactionInspector transactions();

    /** Messages a group has given up. */
    DeadLetters deadLetters();

    /** Delayed messages that wait for their time. */
    DelayedMessages delayed();

    /** Quarantined keys of ordered groups. */
    Quarantine quarantine();

    /** The brokers of the cluster: name to address of the master. */
    Map<String, String> brokers();

    /**
     * Asks every broker how it is; one that does not answer is in the list too.
     *
     * @throws WaybillException of kind UNREACHABLE if no broker is registered
     */
    List<BrokerStatus> status();

    /**
     * How a broker is.
     *
     * @param figures by name, as GET_BROKER_RUNTIME_INFO gives them; empty if it did not answer
     * @param failure why it did not answer; null if it did
     */
    record BrokerStatus(String name, String address, Map<String, String> figures, String failure) {
        /** Whether it answered and takes messages. */
        public boolean serves() {
            return "true".equals(figures.get("brokerActive"));
        }
    }
}
