/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every combination of what one message can ask for: transaction, delay (none, level, timer), order, priority, tag and keys, condition (fulfilled or not),
 * de-duplication; in a topic of priorities and in any other; with a crash on the way. What must come out is said once, in {@link #expected}.
 */
class MatrixTest {
    private static final int CHOSEN_QUEUE = 1;
    private static final int PRIORITY = 2;
    private static final long DELAY_MILLIS = 10_000;

    private final TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    enum Delayed {
        NO,
        LEVEL,
        TIMER
    }

    enum Condition {
        NONE,
        UNFULFILLED,
        FULFILLED
    }

    record Wish(
            boolean priorityTopic,
            boolean transaction,
            Delayed delayed,
            boolean ordered,
            boolean priority,
            boolean terms,
            Condition condition,
            boolean dedup) {
        @Override
        public String toString() {
            return (priorityTopic ? "topic of priorities" : "topic")
                    + (transaction ? ", transaction" : "")
                    + (delayed == Delayed.NO ? "" : ", " + delayed)
                    + (ordered ? ", ordered" : "")
                    + (priority ? ", priority" : "")
                    + (terms ? ", tag and keys" : "")
                    + (condition == Condition.NONE ? "" : ", condition " + condition)
                    + (dedup ? ", dedup" : "");
        }

        /** Which queue the message must come to. */
        int queue() {
            boolean special = transaction || delayed != Delayed.NO || ordered;
            return priority && (priorityTopic || !special) ? PRIORITY : CHOSEN_QUEUE;
        }

        /** A condition is about a wait: it counts only for what is delayed. */
        boolean comes() {
            return condition != Condition.FULFILLED || delayed == Delayed.NO;
        }
    }

    static Stream<Wish> wishes() {
        return IntStream.range(0, 64)
                .boxed()
                .flatMap(bits -> Stream.of(Delayed.values())
                        .flatMap(delayed -> Stream.of(Condition.values())
                                .map(condition -> new Wish(
                                        (bits & 1) != 0,
                                        (bits & 2) != 0,
                                        delayed,
                                        (bits & 4) != 0,
                                        (bits & 8) != 0,
                                        (bits & 16) != 0,
                                        condition,
                                        (bits & 32) != 0))));
    }

    @ParameterizedTest
    @MethodSource("wishes")
    void everyCombinationHasItsResult(Wish wish) {
        create(wish);
        List<Asked> sent = new ArrayList<>();
        for (int i = 0; i < 2; i++) { // two, for the order; each sent twice, for the duplicates
            Asked first = broker.send("orders", CHOSEN_QUEUE, "m" + i, properties(wish, i));
            Asked again = broker.send("orders", CHOSEN_QUEUE, "m" + i, properties(wish, i));
            assertThat(again.field("WAYBILL_DUPLICATE")).isEqualTo(wish.dedup ? "true" : null);
            assertThat(first.number("queueId")).isEqualTo(wish.queue());
            sent.add(first);
            if (!wish.dedup) {
                sent.add(again);
            }
            assertThat(again.field("msgId").equals(first.field("msgId"))).isEqualTo(wish.dedup);
        }
        if (wish.condition == Condition.FULFILLED) {
            broker.pass(1);
            broker.send("payments", 0, "paid", "KEYS", "order-7", "TAGS", "PAID");
        }
        if (wish.transaction) {
            assertThat(visible(wish)).isEmpty();
            sent.forEach(this::commit);
        }
        broker.crash(wish.hashCode());
        if (wish.delayed != Delayed.NO) {
            assertThat(visible(wish)).isEmpty();
            broker.pass(DELAY_MILLIS);
        }
        expected(wish);
    }

    private void expected(Wish wish) {
        List<Message> messages = visible(wish);
        List<String> bodies = messages.stream().map(m -> new String(m.body())).toList();
        if (!wish.comes()) {
            assertThat(bodies).isEmpty();
        } else if (wish.dedup) {
            assertThat(bodies).containsExactly("m0", "m1");
        } else {
            assertThat(bodies).containsExactly("m0", "m0", "m1", "m1");
        }
        for (Message message : messages) {
            assertThat(message.queueId()).isEqualTo(wish.queue());
            assertThat(message.properties().containsKey("_SYS_MSG_PRIORITY_"))
                    .isEqualTo(wish.priority && wish.queue() == PRIORITY);
            assertThat(message.properties().containsKey("__SHARDINGKEY")).isEqualTo(wish.ordered);
            assertThat(message.properties()).doesNotContainKeys("WAYBILL_UNLESS", "WAYBILL_UNLESS_SINCE");
            assertThat(message.tags()).isEqualTo(wish.terms ? "CREATED" : null);
            assertThat(message.preparedTransactionOffset() > 0).isEqualTo(wish.transaction);
        }
        int found = broker.store
                .messages()
                .findByKey("orders", "customer-1", 10, 0, Long.MAX_VALUE)
                .size();
        assertThat(found).isEqualTo(wish.terms ? messages.size() : 0);
        assertThat(broker.store.timers().pendingTimerCount()).isZero();
        assertThat(broker.store.transactions().openHalfCount()).isZero();
    }

    private void create(Wish wish) {
        String attributes = (wish.priorityTopic ? "+message.type=PRIORITY" : "+message.type=MIXED")
                + (wish.dedup ? ",+waybill.dedup=1d" : "");
        Asked created = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .header(new CreateTopicHeader(
                        "orders", "TBW102", 4, 4, 6, TopicConfig.SINGLE_TAG, 0, false, attributes, false))
                .build());
        assertThat(created.result()).as(created.remark()).isZero();
        broker.send("payments", 0, "before");
        broker.pass(1);
    }

    private static String[] properties(Wish wish, int number) {
        List<String> properties = new ArrayList<>(List.of("UNIQ_KEY", "u" + number));
        if (wish.transaction) {
            properties.addAll(List.of("TRAN_MSG", "true", "PGROUP", "shop"));
        }
        if (wish.delayed == Delayed.LEVEL) {
            properties.addAll(List.of("DELAY", "3"));
        } else if (wish.delayed == Delayed.TIMER) {
            properties.addAll(List.of("TIMER_DELAY_MS", Long.toString(DELAY_MILLIS)));
        }
        if (wish.ordered) {
            properties.addAll(List.of("__SHARDINGKEY", "customer-1"));
        }
        if (wish.priority) {
            properties.addAll(List.of("_SYS_MSG_PRIORITY_", Integer.toString(PRIORITY)));
        }
        if (wish.terms) {
            properties.addAll(List.of("TAGS", "CREATED", "KEYS", "customer-1 order-" + number));
        }
        if (wish.condition != Condition.NONE) {
            properties.addAll(List.of("WAYBILL_UNLESS", "payments|order-7|PAID"));
        }
        return properties.toArray(new String[0]);
    }

    private void commit(Asked half) {
        long handle = MessageIds.decode(half.field("msgId")).position();
        String key = half.field("transactionId");
        Asked ended = broker.ask(Command.request(RequestCode.END_TRANSACTION)
                .header(new EndTransactionHeader("orders", "shop", 0, handle, 8, false, key, key, "broker-a"))
                .build());
        assertThat(ended.result()).as(ended.remark()).isZero();
    }

    private List<Message> visible(Wish wish) {
        List<Message> all = new ArrayList<>();
        for (int queue = 0; queue < 4; queue++) {
            Asked pulled = broker.pull("orders", queue, 0, "*");
            if (pulled.reply() != null && pulled.reply().bodyLength() > 0) {
                all.addAll(TestBroker.messages(pulled));
            }
        }
        return all;
    }
}
