/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.AckHeader;
import io.waybill.protocol.header.ChangeInvisibleHeader;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.protocol.header.ResumeCheckHeader;
import io.waybill.protocol.header.SendBackHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.Message;
import io.waybill.store.ReadResult;
import io.waybill.store.StoreCheck;
import io.waybill.store.log.LogInspection;
import io.waybill.store.log.StoreException;
import io.waybill.store.record.Decision;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PendingHalf;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Every flow, ended between any two records it writes, once by kill -9 (what was written stays) and once by a power cut (what was
 * not forced may be lost). Then exactly what was promised holds: nothing acknowledged is missing, nothing is doubled, nothing
 * is visible early. A point is named after the records around it.
 */
class CrashPointsTest {
    static final String TOPIC = "orders";
    static final String GROUP = "shop";
    private static final int COMMIT = 8;
    private static final int ROLLBACK = 12;
    static final long INVISIBLE = 60_000;

    private enum Ending {
        KILL_9,
        POWER_CUT
    }

    /** The end of the process, out of a changing call. */
    private static final class Killed extends Error {
        private static final long serialVersionUID = 1;

        Killed() {
            super("killed", null, false, false);
        }
    }

    abstract static class Flow {
        final String name;

        Flow(String name) {
            this.name = name;
        }

        BrokerSettings settings() {
            return BrokerSettings.defaults();
        }

        /** What is there before the first point. */
        void prepare(Life life) {
            life.topic(TOPIC, "");
        }

        abstract void run(Life life);

        /** After the restart. */
        abstract void verify(Life life);
    }

    /** One broker from its start through one end to what holds behind it. */
    static final class Life {
        final TestBroker broker;
        FakeConnection client;
        /** Steps that were begun, and those of them that were answered with success. */
        final Set<String> begun = new LinkedHashSet<>();

        final Set<String> acked = new HashSet<>();
        final Map<String, Long> times = new HashMap<>();
        /** What the body of the next reply must say for the step to count as acknowledged. */
        private String answer = "";

        private long dieAt = Long.MAX_VALUE;
        private boolean forced;
        private boolean dead;

        Life(Flow flow) {
            broker = new TestBroker(flow.settings());
            client = broker.connect();
            flow.prepare(this);
            broker.settle();
        }

        /**
         * The process ends at the first changing call once the log has grown to a position or, if forced, has been forced so far.
         */
        void dieAt(long position, boolean onceForced) {
            dieAt = position;
            forced = onceForced;
            broker.files.faults().beforeEachChange(() -> {
                long reached = forced
                        ? broker.store.status().positions().flushed()
                        : broker.store.status().positions().appended();
                if (dead || reached >= dieAt) {
                    dead = true;
                    throw new Killed();
                }
            });
        }

        void restart(Ending ending, long seed) {
            broker.files.faults().beforeEachChange(() -> {});
            dead = false;
            if (ending == Ending.KILL_9) {
                broker.kill();
            } else {
                broker.crash(seed);
            }
            client = broker.connect();
        }

        private void alive() {
            if (dead) {
                throw new Killed();
            }
        }

        Asked ask(String step, Command command) {
            begun.add(step);
            Asked asked = new Asked(command, client);
            try {
                broker.features.handler().handle(asked);
                broker.settle();
            } finally {
                if (asked.reply() != null
                        && asked.result() == 0
                        && new String(asked.reply().bodyBytes(), StandardCharsets.UTF_8).contains(answer)) {
                    acked.add(step);
                }
                answer = "";
            }
            alive();
            return asked;
        }

        Asked must(String step, Command command) {
            Asked asked = ask(step, command);
            assertThat(asked.result()).as(step + ": " + asked.remark()).isZero();
            return asked;
        }

        void pass(long millis) {
            broker.pass(millis);
            alive();
        }

        boolean acked(String step) {
            return acked.contains(step);
        }

        long now() {
            return broker.clock.wallMillis();
        }

        void topic(String topic, String attributes) {
            must(
                    "topic",
                    Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                            .header(new CreateTopicHeader(
                                    topic, "TBW102", 2, 2, 6, TopicConfig.SINGLE_TAG, 0, false, attributes, false))
                            .build());
        }

        void producer() {
            must("hello", TestBroker.heartbeat(new HeartbeatData("p", List.of(), List.of("producers"))));
        }

        Asked send(String step, String body, String... properties) {
            return must(
                    step, TestBroker.sending(TestBroker.sendHeader(TOPIC, 0, TestBroker.properties(properties)), body));
        }

        List<Message> messages(String topic, int queueId) {
            List<Message> found = new ArrayList<>();
            long offset = broker.store.queues().offsetRange(topic, queueId).minOffset();
            ReadResult read;
            while ((read = broker.store.queues().readQueue(topic, queueId, offset, 100, 1 << 20, null, null)).status()
                    == ReadResult.Status.FOUND) {
                for (ByteBuffer slice : read.slices()) {
                    found.addAll(Message.decodeAll(slice));
                }
                offset = read.nextOffset();
            }
            return found;
        }

        List<String> bodies(String topic) {
            return messages(topic, 0).stream()
                    .map(m -> new String(m.body(), StandardCharsets.UTF_8))
                    .toList();
        }

        // ---- transactions

        void half(String step) {
            byte[] properties = TestBroker.properties("UNIQ_KEY", "u1", "TRAN_MSG", "true", "PGROUP", "producers");
            must(
                    step,
                    TestBroker.sending(
                            new SendMessageHeader(
                                    "producers",
                                    TOPIC,
                                    "TBW102",
                                    4,
                                    0,
                                    4,
                                    1_000,
                                    0,
                                    properties,
                                    0,
                                    false,
                                    -1,
                                    false,
                                    "broker-a"),
                            "half"));
        }

        List<PendingHalf> open() {
            return broker.store.transactions().openHalves(10);
        }

        Asked end(String step, long handle, int decision, boolean checked) {
            return ask(
                    step,
                    Command.request(RequestCode.END_TRANSACTION)
                            .header(new EndTransactionHeader(
                                    TOPIC, "producers", 0, handle, decision, checked, "u1", "u1", "broker-a"))
                            .build());
        }

        Asked publish(String step) {
            return ask(
                    step,
                    Command.request(RequestCode.DECIDE_TRANSACTION)
                            .body(("{\"id\":\"" + times.get("handle")
                                            + "\",\"decision\":\"PUBLISH\",\"reason\":\"paid\"}")
                                    .getBytes(StandardCharsets.UTF_8))
                            .build());
        }

        /** Whatever became of the half: with a commit it is visible, once. */
        void commitOpenOne() {
            for (PendingHalf half : open()) {
                assertThat(end("commit again", half.handle(), COMMIT, false).result())
                        .isZero();
                end("commit once more", half.handle(), COMMIT, false);
            }
        }

        // ---- timers

        Asked json(String step, String expected, int code, String json) {
            answer = expected;
            return must(
                    step,
                    Command.request(code)
                            .body(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8))
                            .build());
        }

        void delayed() {
            times.put("due", now() + 10_000);
            send("send", "later", "UNIQ_KEY", "u1", "KEYS", "order-1", "TIMER_DELAY_MS", "10000");
        }

        // ---- consumers

        void sendBack(String step, Message message, int level, int max) {
            must(
                    step,
                    Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                            .header(new SendBackHeader(
                                    message.position(), GROUP, level, "u1", TOPIC, false, max, "broker-a"))
                            .build());
        }

        Asked pop(String step) {
            return ask(
                    step,
                    Command.request(RequestCode.POP_MESSAGE)
                            .header(new PopHeader(
                                    GROUP,
                                    TOPIC,
                                    0,
                                    32,
                                    INVISIBLE,
                                    0,
                                    now(),
                                    PopHeader.FROM_MIN,
                                    "TAG",
                                    "*",
                                    false,
                                    null,
                                    "broker-a"))
                            .build());
        }

        static PopHandle handle(Asked popped, Message message) {
            return new PopHandle(
                    message.queueOffset(),
                    popped.number("popTime"),
                    popped.number("invisibleTime"),
                    (int) popped.number("reviveQid"),
                    "0",
                    "broker-a",
                    message.queueId(),
                    message.queueOffset());
        }

        void ack(String step, PopHandle handle) {
            must(
                    step,
                    Command.request(RequestCode.ACK_MESSAGE)
                            .header(new AckHeader(
                                    GROUP, TOPIC, handle.queueId(), handle.toString(), handle.offset(), "broker-a"))
                            .build());
        }

        List<String> popped() {
            Asked popped = pop("pop after");
            return popped.result() == 0 ? TestBroker.bodies(popped) : List.of();
        }
    }

    // ---- the flows

    private static List<Flow> flows() {
        return List.of(
                new Flow("send") {
                    @Override
                    void run(Life life) {
                        life.send("a", "a");
                        life.send("b", "b");
                    }

                    @Override
                    void verify(Life life) {
                        List<String> seen = life.bodies(TOPIC);
                        assertThat(List.of(List.of(), List.of("a"), List.of("a", "b")))
                                .contains(seen);
                        assertThat(seen.contains("a") || !life.acked("a")).isTrue();
                        assertThat(seen.contains("b") || !life.acked("b")).isTrue();
                    }
                },
                new Flow("batch") {
                    @Override
                    void run(Life life) {
                        List<BatchBody.Part> parts = Stream.of("a", "b", "c")
                                .map(body -> new BatchBody.Part(
                                        0,
                                        ByteBuffer.wrap(body.getBytes(StandardCharsets.UTF_8)),
                                        TestBroker.properties("UNIQ_KEY", body)))
                                .toList();
                        life.must(
                                "batch",
                                Command.request(RequestCode.SEND_BATCH_MESSAGE)
                                        .header(new SendMessageHeader(
                                                "producers",
                                                TOPIC,
                                                "TBW102",
                                                4,
                                                0,
                                                0,
                                                1_000,
                                                0,
                                                new byte[0],
                                                0,
                                                false,
                                                -1,
                                                true,
                                                "broker-a"))
                                        .body(BatchBody.encode(parts))
                                        .build());
                    }

                    @Override
                    void verify(Life life) {
                        assertThat(life.bodies(TOPIC).size()).isIn(life.acked("batch") ? Set.of(3) : Set.of(0, 3));
                    }
                },
                new TransactionFlow("transaction committed") {
                    @Override
                    void run(Life life) {
                        life.half("half");
                        life.end("end", life.open().get(0).handle(), COMMIT, false);
                    }
                },
                new TransactionFlow("transaction committed after a check") {
                    @Override
                    void run(Life life) {
                        life.half("half");
                        life.pass(6_000);
                        assertThat(life.open().get(0).checks()).isEqualTo(1);
                        life.end("end", life.open().get(0).handle(), COMMIT, true);
                    }
                },
                new TransactionFlow("transaction given up and resumed") {
                    @Override
                    BrokerSettings settings() {
                        return BrokerSettings.defaults().with("transactionCheckMax", 1);
                    }

                    @Override
                    void run(Life life) {
                        life.half("half");
                        life.pass(6_000);
                        life.pass(30_000);
                        Message aside = life.messages(Names.TRANS_CHECK_MAX_TIME_TOPIC, 0)
                                .get(0);
                        life.must(
                                "resume",
                                Command.request(RequestCode.RESUME_CHECK_HALF_MESSAGE)
                                        .header(new ResumeCheckHeader(TOPIC, aside.offsetId()))
                                        .build());
                        life.end("end", life.open().get(0).handle(), COMMIT, false);
                    }

                    @Override
                    void verify(Life life) {
                        int aside =
                                life.bodies(Names.TRANS_CHECK_MAX_TIME_TOPIC).size();
                        int open = life.open().size();
                        int seen = life.bodies(TOPIC).size();
                        assertThat(open).isLessThanOrEqualTo(1);
                        assertThat(aside).isLessThanOrEqualTo(1);
                        assertThat(seen + open).isLessThanOrEqualTo(1);
                        if (life.acked("end")) {
                            assertThat(seen).isEqualTo(1);
                        } else if (life.acked("resume")) {
                            assertThat(seen + open).isEqualTo(1);
                        } else if (life.acked("half")) {
                            assertThat(open + aside).isPositive();
                        }
                        life.commitOpenOne();
                        assertThat(life.bodies(TOPIC)).hasSize(seen + open);
                    }
                },
                new Flow("transaction rolled back") {
                    @Override
                    void prepare(Life life) {
                        super.prepare(life);
                        life.producer();
                    }

                    @Override
                    void run(Life life) {
                        life.half("half");
                        life.times.put("handle", life.open().get(0).handle());
                        life.end("end", life.open().get(0).handle(), ROLLBACK, false);
                    }

                    @Override
                    void verify(Life life) {
                        assertThat(life.bodies(TOPIC)).isEmpty();
                        if (life.acked("end")) {
                            assertThat(life.open()).isEmpty();
                            assertThat(life.broker
                                            .store
                                            .transactions()
                                            .decisionOf(life.times.get("handle"))
                                            .outcome())
                                    .isEqualTo(Decision.ROLLBACK);
                        } else if (life.acked("half") && life.open().isEmpty()) {
                            assertThat(life.begun).contains("end");
                        }
                        life.pass(600_000);
                        assertThat(life.bodies(TOPIC)).isEmpty();
                    }
                },
                new Flow("transaction rolled back, committed too late and published") {
                    @Override
                    void prepare(Life life) {
                        super.prepare(life);
                        life.producer();
                    }

                    @Override
                    void run(Life life) {
                        life.half("half");
                        long handle = life.open().get(0).handle();
                        life.times.put("handle", handle);
                        life.end("end", handle, ROLLBACK, true);
                        Asked late = life.end("late", handle, COMMIT, false);
                        assertThat(late.reply().fields().get("decided")).isEqualTo("ROLLED_BACK");
                        life.times.put("late", life.now());
                        life.publish("publish");
                        assertThat(life.publish("publish twice").result()).isEqualTo(604);
                    }

                    @Override
                    void verify(Life life) {
                        long handle = life.times.getOrDefault("handle", -1L);
                        int seen = life.bodies(TOPIC).size();
                        assertThat(seen).isIn(life.acked("publish") ? Set.of(1) : Set.of(0, 1));
                        assertThat(life.broker.store.conflicts().publicationOf(handle) != null)
                                .isEqualTo(seen == 1);
                        assertThat(life.broker.store.conflicts().conflictsOf(handle))
                                .hasSizeBetween(life.times.containsKey("late") ? 1 : 0, 1);
                        if (life.acked("end")) {
                            life.publish("publish again");
                            life.publish("publish once more");
                            assertThat(life.bodies(TOPIC)).hasSize(1);
                        }
                    }
                },
                new Flow("delay fired") {
                    @Override
                    void run(Life life) {
                        life.delayed();
                        life.pass(10_000);
                    }

                    @Override
                    void verify(Life life) {
                        if (life.now() < life.times.get("due")) {
                            assertThat(life.bodies(TOPIC)).isEmpty();
                        }
                        life.pass(20_000);
                        int seen = life.bodies(TOPIC).size();
                        assertThat(seen).isIn(life.acked("send") ? Set.of(1) : Set.of(0, 1));
                        assertThat(life.broker.store.timers().pendingTimerCount())
                                .isZero();
                    }
                },
                new Flow("delay cancelled") {
                    @Override
                    void run(Life life) {
                        life.delayed();
                        life.json(
                                "cancel",
                                "\"CANCELLED\"",
                                RequestCode.CHANGE_TIMER,
                                "{'topic':'orders','key':'order-1','action':'CANCEL','by':'kim'}");
                        life.pass(10_000);
                    }

                    @Override
                    void verify(Life life) {
                        life.pass(20_000);
                        int seen = life.bodies(TOPIC).size();
                        int cancelled = life.broker
                                .store
                                .timers()
                                .cancelledByKey(TOPIC, "order-1")
                                .size();
                        assertThat(seen + cancelled).isIn(life.acked("send") ? Set.of(1) : Set.of(0, 1));
                        assertThat(cancelled == 1 || !life.acked("cancel")).isTrue();
                    }
                },
                new Flow("delay rescheduled") {
                    @Override
                    void run(Life life) {
                        life.delayed();
                        life.json(
                                "move",
                                "\"MOVED\"",
                                RequestCode.CHANGE_TIMER,
                                "{'topic':'orders','key':'order-1','action':'RESCHEDULE','deliverTimeMillis':"
                                        + (life.times.get("due") + 10_000) + "}");
                        life.pass(20_000);
                    }

                    @Override
                    void verify(Life life) {
                        long due = life.times.get("due");
                        if (life.now() < due) {
                            life.pass(due - life.now() - 1);
                            assertThat(life.bodies(TOPIC)).isEmpty();
                        }
                        if (life.acked("move") && life.now() < due + 10_000) {
                            life.pass(due + 10_000 - life.now() - 1);
                            assertThat(life.bodies(TOPIC)).isEmpty();
                        }
                        life.pass(30_000);
                        assertThat(life.bodies(TOPIC).size()).isIn(life.acked("send") ? Set.of(1) : Set.of(0, 1));
                    }
                },
                new Flow("retry up to the dead letter") {
                    @Override
                    void prepare(Life life) {
                        super.prepare(life);
                        life.send("order", "order");
                    }

                    @Override
                    void run(Life life) {
                        life.sendBack("back", life.messages(TOPIC, 0).get(0), 0, 1);
                        life.pass(10_000);
                        life.sendBack(
                                "back again",
                                life.messages(Names.retryTopic(GROUP), 0).get(0),
                                0,
                                1);
                    }

                    @Override
                    void verify(Life life) {
                        life.pass(20_000);
                        int retried = life.bodies(Names.retryTopic(GROUP)).size();
                        int letters = life.bodies(Names.deadLetterTopic(GROUP)).size();
                        assertThat(retried).isIn(life.acked("back") ? Set.of(1) : Set.of(0, 1));
                        assertThat(letters).isIn(life.acked("back again") ? Set.of(1) : Set.of(0, 1));
                        assertThat(letters).isLessThanOrEqualTo(retried);
                        assertThat(life.bodies(TOPIC)).containsExactly("order");
                    }
                },
                new Flow("dead letter re-driven") {
                    @Override
                    void prepare(Life life) {
                        super.prepare(life);
                        life.send("order", "order");
                        life.sendBack("back", life.messages(TOPIC, 0).get(0), -1, 1);
                        assertThat(life.bodies(Names.deadLetterTopic(GROUP))).hasSize(1);
                    }

                    private boolean isOpen(Life life) {
                        Asked list = life.json("list", "", RequestCode.LIST_DEAD, "{'group':'shop'}");
                        return Json.parse(list.reply().body()).getLong("open", -1) == 1;
                    }

                    private void redrive(Life life, String step) {
                        life.json(
                                step,
                                "\"REDRIVEN\"",
                                RequestCode.SETTLE_DEAD,
                                "{'group':'shop','offsets':[0],'action':'REDRIVE','by':'kim'}");
                    }

                    @Override
                    void run(Life life) {
                        redrive(life, "redrive");
                    }

                    @Override
                    void verify(Life life) {
                        boolean open = isOpen(life);
                        assertThat(life.bodies(TOPIC)).hasSize(open ? 1 : 2);
                        assertThat(open && life.acked("redrive")).isFalse();
                        redrive(life, "redrive again");
                        assertThat(life.bodies(TOPIC)).hasSize(2);
                    }
                },
                new Flow("pop, acknowledge, renew, expire") {
                    @Override
                    void prepare(Life life) {
                        super.prepare(life);
                        life.send("first", "a");
                        life.send("second", "b");
                    }

                    @Override
                    void run(Life life) {
                        Asked popped = life.pop("pop");
                        life.times.put("free", life.now() + INVISIBLE);
                        List<Message> both = TestBroker.messages(popped);
                        assertThat(both).hasSize(2);
                        life.ack("ack a", Life.handle(popped, both.get(0)));
                        PopHandle b = Life.handle(popped, both.get(1));
                        life.must(
                                "renew",
                                Command.request(RequestCode.CHANGE_MESSAGE_INVISIBLETIME)
                                        .header(new ChangeInvisibleHeader(
                                                GROUP, TOPIC, 0, b.toString(), b.offset(), 90_000, false, "broker-a"))
                                        .build());
                        life.times.put("free", life.now() + 90_000);
                        life.pass(90_000);
                        Asked again = life.pop("pop again");
                        assertThat(TestBroker.bodies(again)).containsExactly("b");
                        life.times.put("free", life.now() + INVISIBLE);
                        life.ack(
                                "ack b",
                                Life.handle(again, TestBroker.messages(again).get(0)));
                    }

                    @Override
                    void verify(Life life) {
                        // Handed out and answered: nobody else gets it before its time.
                        if (life.acked("pop") && life.now() < life.times.get("free")) {
                            assertThat(life.popped()).isEmpty();
                        }
                        life.pass(200_000);
                        List<String> left = life.popped();
                        assertThat(left).doesNotHaveDuplicates();
                        for (String body : List.of("a", "b")) {
                            String ack = "ack " + body;
                            if (life.acked(ack)) {
                                assertThat(left).doesNotContain(body);
                            } else if (!life.begun.contains(ack)) {
                                assertThat(left).contains(body);
                            }
                        }
                    }
                },
                new Flow("pop up to the dead letter") {
                    @Override
                    void prepare(Life life) {
                        super.prepare(life);
                        SubscriptionGroupConfig usual = SubscriptionGroupConfig.of(GROUP);
                        life.must(
                                "group",
                                Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                                        .body(new SubscriptionGroupConfig(
                                                        GROUP,
                                                        true,
                                                        true,
                                                        true,
                                                        false,
                                                        1,
                                                        1,
                                                        usual.groupRetryPolicy(),
                                                        0,
                                                        1,
                                                        true,
                                                        0,
                                                        15,
                                                        usual.attributes())
                                                .toJson())
                                        .build());
                        life.send("order", "poison");
                    }

                    @Override
                    void run(Life life) {
                        for (int i = 0; i < 3; i++) {
                            life.pop("pop " + i);
                            life.pass(INVISIBLE);
                        }
                        assertThat(life.bodies(Names.deadLetterTopic(GROUP))).hasSize(1);
                    }

                    @Override
                    void verify(Life life) {
                        life.pass(200_000);
                        int left = life.popped().size();
                        life.broker.settle();
                        assertThat(left
                                        + life.bodies(Names.deadLetterTopic(GROUP))
                                                .size())
                                .isEqualTo(1);
                    }
                },
                new Flow("de-duplicated send") {
                    @Override
                    void prepare(Life life) {
                        life.topic(TOPIC, "+waybill.dedup=1h");
                    }

                    @Override
                    void run(Life life) {
                        life.send("first", "m", "UNIQ_KEY", "u1");
                        life.send("second", "m", "UNIQ_KEY", "u1");
                    }

                    @Override
                    void verify(Life life) {
                        int seen = life.bodies(TOPIC).size();
                        boolean promised = life.acked("first") || life.acked("second");
                        assertThat(seen).isIn(promised ? Set.of(1) : Set.of(0, 1));
                        life.send("third", "m", "UNIQ_KEY", "u1");
                        assertThat(life.bodies(TOPIC)).hasSize(1);
                    }
                },
                new Flow("progress committed and reset") {
                    @Override
                    void prepare(Life life) {
                        super.prepare(life);
                        for (int i = 0; i < 5; i++) {
                            life.send("m" + i, "m" + i);
                        }
                        life.must("join", TestBroker.heartbeat("c", GROUP, SubscriptionData.of(TOPIC, "*")));
                        life.broker.gone(life.client);
                        life.client = life.broker.connect();
                    }

                    private void commit(Life life, long offset) {
                        life.ask(
                                "commit " + offset,
                                Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                                        .field("consumerGroup", GROUP)
                                        .field("topic", TOPIC)
                                        .field("queueId", 0)
                                        .field("commitOffset", offset)
                                        .build());
                        life.pass(10_000);
                    }

                    @Override
                    void run(Life life) {
                        commit(life, 1);
                        commit(life, 3);
                        life.must(
                                "reset",
                                Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                                        .header(new ResetOffsetHeader(TOPIC, GROUP, 0, true, 0, 2))
                                        .build());
                    }

                    @Override
                    void verify(Life life) {
                        long offset = life.broker.store.offsets().committedOffset(GROUP, TOPIC, 0);
                        if (life.acked("reset")) {
                            assertThat(offset).isEqualTo(2);
                        } else if (life.begun.contains("reset")) {
                            assertThat(offset).isIn(2L, 3L);
                        } else if (life.begun.contains("commit 3")) {
                            assertThat(offset).isIn(1L, 3L);
                        } else {
                            assertThat(offset).isIn(-1L, 1L);
                        }
                    }
                });
    }

    /** Ends with a commit: visible once, or open, and never before. */
    private abstract static class TransactionFlow extends Flow {
        TransactionFlow(String name) {
            super(name);
        }

        @Override
        void prepare(Life life) {
            super.prepare(life);
            life.producer();
        }

        @Override
        void verify(Life life) {
            int open = life.open().size();
            int seen = life.bodies(TOPIC).size();
            assertThat(open + seen).isIn(life.acked("half") ? Set.of(1) : Set.of(0, 1));
            assertThat(seen == 0 || life.begun.contains("end")).isTrue();
            assertThat(seen == 1 || !life.acked("end")).isTrue();
            life.commitOpenOne();
            assertThat(life.bodies(TOPIC)).hasSize(open + seen);
            life.pass(600_000);
            assertThat(life.bodies(TOPIC)).hasSize(open + seen);
        }
    }

    // ---- the points

    private record Point(String name, long position) {}

    private static List<Point> points(Flow flow) throws StoreException {
        Life life = new Life(flow);
        long start = life.broker.store.status().positions().appended();
        flow.run(life);
        life.broker.settle();
        List<Point> frames = new ArrayList<>();
        LogInspection.walk(life.broker.files.disk().copy(), (info, entries, bytes, at) -> {
            if (info.base() >= start) {
                String name =
                        entries.stream().map(CrashPointsTest::name).distinct().collect(Collectors.joining("+"));
                frames.add(new Point(name, info.base() + info.length()));
            }
        });
        life.broker.close();
        List<Point> points = new ArrayList<>();
        for (int i = 0; i <= frames.size(); i++) {
            String before = i == 0 ? "begin" : frames.get(i - 1).name;
            String behind = i == frames.size() ? "end" : frames.get(i).name;
            points.add(
                    new Point(flow.name + ": " + before + " | " + behind, i == 0 ? start : frames.get(i - 1).position));
        }
        return points;
    }

    private static String name(LogRecord entry) {
        String simple = entry.getClass().getSimpleName();
        return switch (simple) {
            case "VisibleMessage" -> "MESSAGE";
            case "Half" -> "PENDING_HALF";
            case "Due" -> "PENDING_DUE";
            case "Decided" -> "DECISION";
            default -> simple.toUpperCase(Locale.ROOT);
        };
    }

    @TestFactory
    Stream<DynamicContainer> everyPointOfEveryFlow() {
        return everyPointOf(flows());
    }

    static Stream<DynamicContainer> everyPointOf(List<Flow> flows) {
        return flows.stream().map(flow -> {
            try {
                List<DynamicTest> tests = new ArrayList<>();
                for (Point point : points(flow)) {
                    for (Ending ending : Ending.values()) {
                        tests.add(DynamicTest.dynamicTest(
                                point.name + " (" + ending + ")", () -> end(flow, point.position, ending)));
                    }
                }
                assertThat(tests.size()).as(flow.name).isGreaterThan(2);
                return DynamicContainer.dynamicContainer(flow.name, tests);
            } catch (StoreException e) {
                throw new AssertionError(e);
            }
        });
    }

    private static void end(Flow flow, long position, Ending ending) throws StoreException {
        for (boolean forced : new boolean[] {false, true}) {
            for (long seed = 0; seed < (ending == Ending.POWER_CUT ? 3 : 1); seed++) {
                Life life = new Life(flow);
                life.dieAt(position, forced);
                try {
                    flow.run(life);
                    life.broker.settle();
                } catch (Killed | RuntimeException | AssertionError e) {
                    if (!life.dead) {
                        throw e;
                    }
                }
                assertThat(forced || life.dead).as("the point is reached").isTrue();
                life.restart(ending, seed);
                flow.verify(life);
                life.broker.close();
                assertThat(StoreCheck.check(life.broker.files.disk().kill(), null)
                                .findings())
                        .isEmpty();
            }
        }
    }
}
