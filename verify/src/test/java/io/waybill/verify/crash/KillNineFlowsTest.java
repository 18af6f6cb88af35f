/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.crash;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Admin;
import io.waybill.client.ConsumeResult;
import io.waybill.client.DeadLetters;
import io.waybill.client.DeadLetters.Outcome.Answer;
import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedMessages;
import io.waybill.client.Groups;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.SimpleConsumer;
import io.waybill.client.StartFrom;
import io.waybill.client.Topics;
import io.waybill.client.WaybillClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills the server in the middle of pops and acknowledgements, of dead letters that are sent again, of timers that are cancelled and of
 * de-duplicated sends. What was answered holds.
 */
@Tag("end-to-end")
class KillNineFlowsTest {
    private static final int KILLS = Integer.getInteger("waybill.flow.kills", 4);
    private static final int LETTERS = 120;
    private static final String POPS = "kill-pops";
    private static final String LETTERS_TOPIC = "kill-letters";
    private static final String TIMERS = "kill-timers";
    private static final String UNIQUE = "kill-unique";
    private static final Duration TIMER = Duration.ofSeconds(3);

    @TempDir
    Path directory;

    private final ScheduledExecutorService loads = Executors.newScheduledThreadPool(5);
    private final AtomicInteger unanswered = new AtomicInteger();
    private final ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
    private final Set<String> acked = ConcurrentHashMap.newKeySet();
    /** Also those whose acknowledgement was not answered: it may be kept, and then they do not come again. */
    private final Set<String> ackBegun = ConcurrentHashMap.newKeySet();

    private final AtomicInteger sent = new AtomicInteger();
    private final Set<Long> redriven = ConcurrentHashMap.newKeySet();
    private volatile boolean allRedriven;
    /** What the broker says is left of the pops, the last time it was asked. */
    private Groups.TopicBacklog left;
    /** How often a message of the pops was received. */
    private volatile long moved;

    private final Set<String> timers = ConcurrentHashMap.newKeySet();
    private final Set<String> cancelBegun = ConcurrentHashMap.newKeySet();
    private final Set<String> cancelled = ConcurrentHashMap.newKeySet();
    private final Map<String, Long> unique = new ConcurrentHashMap<>();

    private WaybillClient client;
    private Admin admin;
    private SimpleConsumer popper;

    @Test
    void whatWasAnsweredHolds() throws Exception {
        Path data = directory.resolve("data");
        int namesrvPort = ServerProcess.freePort();
        int brokerPort = ServerProcess.freePort();
        ServerProcess server = ServerProcess.start(data, namesrvPort, brokerPort);
        client = WaybillClient.connect("127.0.0.1:" + namesrvPort);
        try {
            prepare();
            load(2, popSends());
            load(1, pops());
            load(10, redrives());
            load(5, timerSends());
            load(1, uniqueSends());
            for (int kill = 0; kill < KILLS; kill++) {
                int ackedBefore = acked.size();
                int uniqueBefore = unique.size();
                int cancelledBefore = cancelled.size();
                int redrivenBefore = redriven.size();
                await(
                        "work between two kills",
                        () -> acked.size() >= ackedBefore + 30
                                && unique.size() >= uniqueBefore + 10
                                && cancelled.size() >= cancelledBefore + 5
                                && (allRedriven || redriven.size() >= redrivenBefore + 3));
                server.killNine();
                server = ServerProcess.start(data, namesrvPort, brokerPort);
            }
            loads.shutdown();
            assertThat(loads.awaitTermination(60, TimeUnit.SECONDS)).isTrue();
            checkPops();
            checkLetters("127.0.0.1:" + namesrvPort);
            checkTimers("127.0.0.1:" + namesrvPort);
            checkUnique("127.0.0.1:" + namesrvPort);
            assertThat(wrong).isEmpty();
        } finally {
            loads.shutdownNow();
            client.close();
            server.close();
        }
        System.out.printf(
                "kill -9 in flows: %d kills, %d of %d acknowledged, %d re-driven, %d of %d timers cancelled, %d unique, %d steps unanswered%n",
                KILLS,
                acked.size(),
                sent.get(),
                redriven.size(),
                cancelled.size(),
                timers.size(),
                unique.size(),
                unanswered.get());
    }

    /** As long as it takes, but not for a minute in which nothing of all that is counted here goes on. */
    private void await(String what, BooleanSupplier condition) {
        long[] seen = {-1};
        long[] since = {System.nanoTime()};
        Awaitility.await(what)
                .atMost(Duration.ofMinutes(15))
                .pollInterval(Duration.ofMillis(10))
                .until(() -> {
                    boolean done = condition.getAsBoolean();
                    long now = acked.size() + sent.get() + redriven.size() + cancelled.size() + unique.size() + moved;
                    if (now != seen[0]) {
                        seen[0] = now;
                        since[0] = System.nanoTime();
                    }
                    assertThat(Duration.ofNanos(System.nanoTime() - since[0]))
                            .as(
                                    "how long nothing happened while waiting for %s: %d acknowledged of %d sent, %s",
                                    what, acked.size(), sent.get(), left)
                            .isLessThan(Duration.ofMinutes(1));
                    return done;
                });
    }

    private void prepare() {
        admin = client.admin();
        admin.topics().create(POPS, 2);
        admin.topics().create(LETTERS_TOPIC, 1);
        admin.topics().create(TIMERS, 1);
        admin.topics().create(UNIQUE, 1);
        for (String topic : List.of(UNIQUE, TIMERS)) { // a send that is repeated must not leave a second timer behind
            admin.topics().changeAttributes(topic, Map.of(Topics.DEDUP, "1h"), Set.of());
        }
        Producer producer = client.producer("letters").build();
        List<Message> letters = new ArrayList<>();
        for (int i = 0; i < LETTERS; i++) {
            letters.add(Message.to(LETTERS_TOPIC).body("letter-" + i).build());
        }
        producer.sendAll(letters);
        try (PushConsumer rejecting = client.pushConsumer("kill-dead")
                .subscribe(LETTERS_TOPIC)
                .from(StartFrom.FIRST)
                .onMessage(message -> ConsumeResult.REJECT)
                .start()) {
            await(
                    "the dead letters of " + rejecting.group(),
                    () -> admin.deadLetters().list("kill-dead", 0, 1, false).total() == LETTERS);
        }
    }

    private interface Step {
        void run(int n) throws Exception;
    }

    /** A step again and again, with a pause between. What fails while the server is down is not answered, so nothing is expected of it. */
    private void load(long pauseMillis, Step step) {
        AtomicInteger steps = new AtomicInteger();
        loads.scheduleWithFixedDelay(
                () -> {
                    try {
                        step.run(steps.getAndIncrement());
                    } catch (Exception serverIsDown) {
                        unanswered.incrementAndGet();
                    }
                },
                0,
                pauseMillis,
                TimeUnit.MILLISECONDS);
    }

    // ---- pops

    private Step popSends() {
        Producer producer = client.producer("pops").build();
        return n -> {
            producer.send(Message.to(POPS).body("p-" + n).build());
            sent.incrementAndGet();
        };
    }

    private Step pops() {
        popper = client.simpleConsumer("kill-poppers").subscribe(POPS).build();
        return n -> pop();
    }

    /** One thread takes and acknowledges: so nothing it was answered to may come to it again. */
    private void pop() {
        List<ReceivedMessage> got = popper.receive(16, Duration.ofSeconds(2), Duration.ofMillis(200));
        List<String> places = new ArrayList<>();
        for (ReceivedMessage message : got) {
            String place = message.delivery().queue() + "@" + message.delivery().offset();
            places.add(place);
            moved++;
            if (acked.contains(place)) {
                wrong.add(place + " came again after its acknowledgement was answered");
            }
        }
        if (got.size() % 2 == 0) {
            ackBegun.addAll(places);
            popper.ack(got);
            acked.addAll(places);
        } else {
            for (int i = 0; i < got.size(); i++) {
                ackBegun.add(places.get(i));
                popper.ack(got.get(i));
                acked.add(places.get(i));
            }
        }
    }

    private void checkPops() {
        await("all to be acknowledged", () -> {
            pop();
            left = admin.groups().backlog("kill-poppers").total();
            return ackBegun.size() >= sent.get()
                    && left.ready().messages() == 0
                    && left.inFlight().messages() == 0;
        });
    }

    // ---- dead letters

    private Step redrives() {
        return n -> {
            DeadLetters.Page open = admin.deadLetters().list("kill-dead", 0, 1, false);
            allRedriven = open.deadLetters().isEmpty();
            if (!allRedriven) {
                redrive(open.deadLetters().get(0).offset());
            }
        };
    }

    private void redrive(long offset) {
        for (DeadLetters.Outcome outcome : admin.deadLetters()
                .redrive(
                        "kill-dead",
                        DeadLetters.Selection.at(null, offset),
                        DeadLetters.Redrive.unchanged(),
                        "test",
                        null)) {
            if (outcome.answer() == Answer.REDRIVEN && !redriven.add(offset)) {
                wrong.add("letter " + offset + " was re-driven twice");
            }
        }
    }

    private void checkLetters(String namesrv) throws Exception {
        for (long offset = 0; offset < LETTERS; offset++) {
            redrive(offset); // what is settled is told so
        }
        assertThat(admin.deadLetters().list("kill-dead", 0, 1, false).open()).isZero();
        List<String> bodies = new ArrayList<>();
        for (MessageExt message : log(namesrv, LETTERS_TOPIC)) {
            if (message.getProperty("REDRIVEN_BY") != null) {
                bodies.add(new String(message.getBody(), StandardCharsets.UTF_8));
            }
        }
        assertThat(bodies).hasSize(LETTERS).doesNotHaveDuplicates();
    }

    // ---- timers

    private Step timerSends() {
        Producer producer = client.producer("timers").build();
        return n -> {
            String name = "t-" + n;
            producer.send(
                    Message.to(TIMERS).key(name).body(name).deliverAfter(TIMER).build());
            timers.add(name);
            if (n % 2 == 0) {
                cancelBegun.add(name);
                DelayedChange change = admin.delayed().cancel(DelayedMessages.Selector.key(TIMERS, name), "test");
                if (change.answer() == DelayedChange.Answer.CANCELLED) {
                    cancelled.add(name);
                }
            }
        };
    }

    private void checkTimers(String namesrv) throws Exception {
        await("all timers to fire", () -> admin.delayed().list(TIMERS, null, 1).pending() == 0);
        Set<String> fired = ConcurrentHashMap.newKeySet();
        log(namesrv, TIMERS).forEach(message -> fired.add(new String(message.getBody(), StandardCharsets.UTF_8)));
        Set<String> both = ConcurrentHashMap.newKeySet();
        both.addAll(cancelled);
        both.retainAll(fired);
        assertThat(both).as("cancelled and fired").isEmpty();
        Set<String> missing = ConcurrentHashMap.newKeySet();
        missing.addAll(timers);
        missing.removeAll(cancelBegun);
        missing.removeAll(fired);
        assertThat(missing).as("neither cancelled nor fired").isEmpty();
    }

    // ---- de-duplication

    private Step uniqueSends() {
        Producer producer = client.producer("unique").build();
        AtomicInteger keys = new AtomicInteger();
        return n -> {
            String key = "u-" + keys.get();
            SendReceipt receipt =
                    producer.send(Message.to(UNIQUE).dedupKey(key).body(key).build());
            Long before = unique.putIfAbsent(key, receipt.offset());
            if (before != null && (!receipt.duplicate() || before != receipt.offset())) {
                wrong.add(key + " was at " + before + ", now at " + receipt.offset());
            }
            if (before != null) { // every key is sent until it was answered twice
                keys.incrementAndGet();
            }
        };
    }

    private void checkUnique(String namesrv) throws Exception {
        Producer producer = client.producer("unique-again").build();
        unique.forEach((key, offset) -> {
            SendReceipt again =
                    producer.send(Message.to(UNIQUE).dedupKey(key).body(key).build());
            if (!again.duplicate() || again.offset() != offset) {
                wrong.add(key + " was at " + offset + ", in the end at " + again.offset());
            }
        });
        List<String> bodies = new ArrayList<>();
        log(namesrv, UNIQUE).forEach(message -> bodies.add(new String(message.getBody(), StandardCharsets.UTF_8)));
        assertThat(bodies).doesNotHaveDuplicates().containsAll(unique.keySet());
    }

    /** All there is in a topic. */
    @SuppressWarnings("deprecation")
    private static List<MessageExt> log(String namesrv, String topic) throws Exception {
        DefaultMQPullConsumer reader = new DefaultMQPullConsumer("kill-flow-checker");
        reader.setNamesrvAddr(namesrv);
        reader.setInstanceName("checker-" + System.nanoTime());
        reader.start();
        try {
            List<MessageExt> all = new ArrayList<>();
            for (MessageQueue queue : reader.fetchSubscribeMessageQueues(topic)) {
                long max = reader.maxOffset(queue);
                for (long next = reader.minOffset(queue); next < max; ) {
                    PullResult pulled = reader.pull(queue, "*", next, 32);
                    assertThat(pulled.getPullStatus()).isEqualTo(PullStatus.FOUND);
                    all.addAll(pulled.getMsgFoundList());
                    next = pulled.getNextBeginOffset();
                }
            }
            return all;
        } finally {
            reader.shutdown();
        }
    }
}
