/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.store.Store;
import io.waybill.store.log.Failed;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records what producers answer to checks without deciding. What always holds: the record of an answer stands behind the record of its check, and a
 * check has one at most, so that a client cannot fill the log by answering. An answer to a check of an earlier run of the broker is not recorded.
 *
 * <p>Thread-safe.
 */
final class CheckAnswers {
    private static final Logger LOG = LoggerFactory.getLogger(CheckAnswers.class);
    private static final int MOST_OPEN = 20_000;

    private static final class Asked {
        private final String producerGroup;
        private final String uniqueKey;
        private boolean recorded;
        private String client;
        private String answer;

        Asked(String producerGroup, String uniqueKey) {
            this.producerGroup = producerGroup;
            this.uniqueKey = uniqueKey;
        }
    }

    private final Store store;

    /** Checks without an answer, by handle. Guarded by itself, with what is in it. */
    private final Map<Long, Asked> open = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Asked> eldest) {
            return size() > MOST_OPEN;
        }
    };

    CheckAnswers(Store store) {
        this.store = store;
    }

    /** A check is about to be sent: its answer may come before this thread goes on. */
    void asking(long handle, String producerGroup, String uniqueKey) {
        synchronized (open) {
            open.remove(handle); // for its place in the order
            open.put(handle, new Asked(producerGroup, uniqueKey));
        }
    }

    /** The check was not delivered after all, or its answer decided. */
    void forget(long handle) {
        synchronized (open) {
            open.remove(handle);
        }
    }

    /** The record of the check was handed to the store. */
    void recorded(long handle) {
        Asked asked;
        synchronized (open) {
            asked = open.get(handle);
            if (asked == null) {
                return;
            }
            asked.recorded = true;
            if (asked.answer == null) {
                return;
            }
            open.remove(handle);
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
        synchronized (open) {
            Asked asked = open.get(handle);
            if (asked == null
                    || asked.answer != null
                    || !asked.producerGroup.equals(producerGroup)
                    || !ids.isEmpty() && !ids.contains(asked.uniqueKey)) {
                return false;
            }
            if (!asked.recorded) {
                asked.client = client;
                asked.answer = answer;
                return true;
            }
            open.remove(handle);
        }
        record(handle, client, answer);
        return true;
    }

    private void record(long handle, String client, String answer) {
        store.checkAnswered(handle, client, answer, outcome -> {
            if (outcome instanceof Failed failed) {
                LOG.warn("an answer about transaction {} was not recorded: {}", handle, failed.text());
            }
        });
    }
}
