/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** All reasons to divert, asked in the order in which they were added: the first that does not give a message decides. */
public final class Diversions {
    private final List<Diversion> all = new CopyOnWriteArrayList<>();

    Diversions() {}

    /** Adds one; before the first request. */
    public void add(Diversion diversion) {
        all.add(diversion);
    }

    /** Null, the usual: what the filter takes goes to the client. */
    Diversion.Sorter sorter(Pull pull) {
        if (pull.isReplay()) {
            return null;
        }
        Diversion.Sorter first = null;
        Filter wanted = pull.filter();
        for (Diversion diversion : all) {
            Diversion.Sorter next = diversion.sorter(
                    pull.group(),
                    pull.home(),
                    pull.topic(),
                    pull.queueId(),
                    pull.request().connection(),
                    wanted);
            if (next != null) {
                wanted = next.filter();
                first = first == null ? next : new Both(first, next);
            }
        }
        return first;
    }

    void reset(String group, String topic, int queueId) {
        all.forEach(diversion -> diversion.reset(group, topic, queueId));
    }

    private static final class Both implements Diversion.Sorter {
        private final Diversion.Sorter first;
        private final Diversion.Sorter second;

        Both(Diversion.Sorter first, Diversion.Sorter second) {
            this.first = first;
            this.second = second;
        }

        @Override
        public Filter filter() {
            return second.filter();
        }

        @Override
        public Diversion.Verdict verdict(ByteBuffer buffer, int at) {
            Diversion.Verdict verdict = first.verdict(buffer, at);
            return verdict == Diversion.Verdict.GIVE ? second.verdict(buffer, at) : verdict;
        }

        @Override
        public void divert(List<ByteBuffer> messages, Consumer<String> then) {
            List<ByteBuffer> ofSecond = new ArrayList<>();
            List<ByteBuffer> ofFirst = new ArrayList<>();
            for (ByteBuffer message : messages) {
                boolean isOfFirst = first.verdict(message, 0) == Diversion.Verdict.DIVERT;
                (isOfFirst ? ofFirst : ofSecond).add(message);
            }
            if (ofFirst.isEmpty() || ofSecond.isEmpty()) {
                (ofSecond.isEmpty() ? first : second).divert(messages, then);
                return;
            }
            first.divert(ofFirst, refusal -> {
                if (refusal != null) {
                    then.accept(refusal);
                } else {
                    second.divert(ofSecond, then);
                }
            });
        }
    }
}
