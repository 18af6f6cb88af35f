/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.store.TransactionStore;
import io.waybill.store.log.Failed;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records what producers answer to checks without deciding. What always holds: the record of an answer stands behind the record of its check, and a
 * check has one at most, so that a client cannot fill the log by answering. An answer to a check of an earlier run of the broker is not recorded, nor
 * one to the oldest of more open checks than {@value #MOST_BYTES} bytes hold.
 *
 * <p>Thread-safe.
 */
final class CheckAnswers {
    private static final Logger LOG = LoggerFactory.getLogger(CheckAnswers.class);
    static final int MOST_BYTES = 4 << 20;
    /** Of an entry beside its texts, of which each character counts two bytes. */
    private static final int ENTRY_BYTES = 160;

    private static final class OpenCheck {
        private final String producerGroup;
        private final String uniqueKey;
        private boolean recorded;
        private String client;
        private String answer;

        OpenCheck(String producerGroup, String uniqueKey) {
            this.producerGroup = producerGroup;
            this.uniqueKey = uniqueKey;
        }

        int bytes() {
            int letters = producerGroup.length()
                    + (uniqueKey == null ? 0 : uniqueKey.length())
                    + (client == null ? 0 : client.length());
            return ENTRY_BYTES + 2 * letters;
        }
    }

    private final TransactionStore store;

    /** Checks without an answer, by handle. Guarded by itself, with what is in it. */
    private final Map<Long, OpenCheck> open = new LinkedHashMap<>();

    private int bytes;

    CheckAnswers(TransactionStore store) {
        this.store = store;
    }

    /** A check is about to be sent: its answer may come before this thread goes on. */
    void asking(long handle, String producerGroup, String uniqueKey) {
        synchronized (open) {
            remove(handle); // for its place in the order
            OpenCheck asked = new OpenCheck(producerGroup, uniqueKey);
            open.put(handle, asked);
            bytes += asked.bytes();
            makeRoom();
        }
    }

    private void remove(long handle) {
        OpenCheck asked = open.remove(handle);
        bytes -= asked == null ? 0 : asked.bytes();
    }

    private void makeRoom() {
        while (bytes > MOST_BYTES) {
            remove(open.keySet().iterator().next());
        }
    }

    /** How many checks without an answer are kept in mind. */
    int size() {
        synchronized (open) {
            return open.size();
        }
    }

    /** The check was not delivered after all, or its answer decided. */
    void forget(long handle) {
        synchronized (open) {
            remove(handle);
        }
    }

    /** The record of the check was handed to the store. */
    void recorded(long handle) {
        OpenCheck asked;
        synchronized (open) {
            asked = open.get(handle);
            if (asked == null) {
                return;
            }
            asked.recorded = true;
            if (asked.answer == null) {
                return;
            }
            remove(handle);
        }
        record(handle, asked.client, asked.answer);
    }

    /**
     * A producer answered.
     *
     * @param ids the ids the answer names; empty if it names none
     * @return whether a check of this group was open
     */
    boolean answered(long handle, String producerGroup, Set<String> ids, String client, String answer) {
        String name = DecisionText.cut(client);
        synchronized (open) {
            OpenCheck asked = open.get(handle);
            if (asked == null
                    || asked.answer != null
                    || !asked.producerGroup.equals(producerGroup)
                    || !ids.isEmpty() && !ids.contains(asked.uniqueKey)) {
                return false;
            }
            if (!asked.recorded) {
                asked.client = name;
                asked.answer = answer;
                bytes += 2 * name.length();
                makeRoom();
                return true;
            }
            remove(handle);
        }
        record(handle, name, answer);
        return true;
    }

    private void record(long handle, String client, String answer) {
        store.recordCheckAnswer(handle, client, answer, outcome -> {
            if (outcome instanceof Failed failed) {
                LOG.warn("an answer about transaction {} was not recorded: {}", handle, failed.text());
            }
        });
    }
}
