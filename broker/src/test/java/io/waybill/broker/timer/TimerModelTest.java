/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.DelayLevels;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.RecallHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random lives of timed messages against a model of ten lines: send, cancel, recall, move, a fulfilled condition, time that passes, a wall clock that is set
 * forward and back, restarts and power cuts. The seed is in the name of the test: {@code -Dwaybill.seed=} runs one, {@code -Dwaybill.histories=} how
 * many.
 */
class TimerModelTest {
    private static final int STEPS = 120;
    private static final int KEYS = 6;

    /** What is known of one message. */
    private static final class Timer {
        final long storedMillis;
        final String condition;
        final String recallHandle;
        long dueMillis;
        String state = "PENDING";

        Timer(long storedMillis, long dueMillis, String condition, String recallHandle) {
            this.storedMillis = storedMillis;
            this.dueMillis = dueMillis;
            this.condition = condition;
            this.recallHandle = recallHandle;
        }
    }

    private final Map<String, Timer> timers = new LinkedHashMap<>();
    /** Store times at which a message with the key became visible in the topic of conditions. */
    private final Map<String, List<Long>> paid = new HashMap<>();

    private SimulatedBroker broker;
    private RandomSource random;
    private int sent;

    static List<Long> seeds() {
        if (System.getProperty("waybill.seed") != null) {
            return List.of(Long.getLong("waybill.seed"));
        }
        List<Long> seeds = new ArrayList<>();
        for (long seed = 1; seed <= Integer.getInteger("waybill.histories", 40); seed++) {
            seeds.add(seed);
        }
        return seeds;
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void everyMessageHasTheFateOfTheModel(long seed) {
        random = RandomSource.seeded(seed);
        broker = new SimulatedBroker();
        broker.topic("orders", 1);
        broker.topic("payments", 1);
        for (int step = 0; step < STEPS; step++) {
            step();
            compare();
        }
        broker.clock.set(Math.max(broker.now(), latest()));
        broker.pass(10_000);
        fire();
        compare();
        assertThat(broker.store.timers().pendingTimerCount()).isZero();
        broker.close();
    }

    private long latest() {
        return timers.values().stream().mapToLong(t -> t.dueMillis).max().orElse(0);
    }

    private void step() {
        switch (random.nextInt(12)) {
            case 0, 1, 2, 3 -> send();
            case 4 -> change("CANCEL", -1);
            case 5 -> change("RESCHEDULE", broker.now() + random.nextInt(40_000) - 5_000);
            case 6 -> recall();
            case 7 -> pay();
            case 8 -> {
                broker.clock.set(broker.now() + random.nextInt(60_000) - 30_000);
                pass(5_000); // within which the engine looks at the clock again
            }
            case 9 -> {
                if (random.nextInt(2) == 0) {
                    broker.restart();
                } else {
                    broker.crash(random.nextLong());
                }
                fire();
            }
            default -> pass(1 + random.nextInt(12_000));
        }
    }

    private void pass(long millis) {
        broker.pass(millis);
        fire();
    }

    private void send() {
        String key = "u" + sent++;
        long delay = random.nextInt(30_000) - 2_000;
        String condition = random.nextInt(2) == 0 ? "k" + random.nextInt(KEYS) : null;
        String[] timing = switch (random.nextInt(3)) {
            case 0 -> {
                int level = 1 + random.nextInt(4);
                delay = DelayLevels.defaults().delayMillis(level);
                yield new String[] {"DELAY", Integer.toString(level)};
            }
            case 1 -> new String[] {"TIMER_DELAY_MS", Long.toString(delay)};
            default -> new String[] {"TIMER_DELIVER_MS", Long.toString(broker.now() + delay)};
        };
        Map<String, String> properties = SimulatedBroker.properties(key, timing);
        properties.put(MessageProperties.KEYS, "o" + random.nextInt(KEYS));
        if (condition != null) {
            properties.put(MessageProperties.UNLESS, "payments|" + condition + "|PAID");
        }
        long due = broker.now() + delay;
        long stored = broker.store.clock().nowMillis();
        Command reply = sendTo("orders", properties);
        Timer timer = new Timer(stored, due, condition, reply.fields().get("recallHandle"));
        timers.put(key, timer);
        if (delay <= 0) {
            timer.state = "DELIVERED";
            assertThat(timer.recallHandle).isNull();
        }
    }

    private Command sendTo(String topic, Map<String, String> properties) {
        SendMessageHeader header = new SendMessageHeader(
                "shop",
                topic,
                "TBW102",
                1,
                0,
                0,
                broker.now(),
                0,
                MessageProperties.encode(properties),
                0,
                false,
                -1,
                false,
                SimulatedBroker.NAME);
        Command reply = broker.request(
                broker.connect(),
                Command.request(RequestCode.SEND_MESSAGE_V2)
                        .header(header)
                        .body("b".getBytes(StandardCharsets.UTF_8))
                        .build());
        assertThat(reply.code()).as(reply.remark()).isZero();
        return reply;
    }

    private void pay() {
        String key = "k" + random.nextInt(KEYS);
        long stored = broker.store.clock().nowMillis();
        Map<String, String> properties = SimulatedBroker.properties("p" + sent++);
        properties.put(MessageProperties.KEYS, key);
        properties.put(MessageProperties.TAGS, random.nextInt(4) == 0 ? "REFUSED" : "PAID");
        sendTo("payments", properties);
        if (properties.get(MessageProperties.TAGS).equals("PAID")) {
            paid.computeIfAbsent(key, k -> new ArrayList<>()).add(stored);
        }
    }

    private void change(String action, long due) {
        if (timers.isEmpty()) {
            return;
        }
        String key = "u" + random.nextInt(sent);
        Timer timer = timers.get(key);
        String json = "{\"topic\":\"orders\",\"uniqueKey\":\"" + key + "\",\"action\":\"" + action
                + "\",\"deliverTimeMillis\":" + due + "}";
        Command reply = broker.request(
                broker.connect(),
                Command.request(RequestCode.CHANGE_TIMER)
                        .body(json.getBytes(StandardCharsets.UTF_8))
                        .build());
        String expected;
        if (timer == null) {
            expected = "NEVER_EXISTED"; // the key of a payment
        } else if (!timer.state.equals("PENDING")) {
            expected = "ALREADY_" + timer.state;
        } else if (action.equals("CANCEL")) {
            timer.state = "CANCELLED";
            expected = "CANCELLED";
        } else {
            timer.dueMillis = due;
            expected = "MOVED";
        }
        assertThat(Json.parse(reply.body()).getString("answer")).as(key).isEqualTo(expected);
        fire();
    }

    private void recall() {
        List<Timer> all = new ArrayList<>(timers.values());
        Timer timer = all.isEmpty() ? null : all.get(random.nextInt(all.size()));
        if (timer == null || timer.recallHandle == null) {
            return;
        }
        Command reply = broker.request(
                broker.connect(),
                Command.request(RequestCode.RECALL_MESSAGE)
                        .header(new RecallHeader("shop", "orders", timer.recallHandle, SimulatedBroker.NAME))
                        .build());
        assertThat(reply.code() == 0).isEqualTo(timer.state.equals("PENDING"));
        timer.state = timer.state.equals("PENDING") ? "CANCELLED" : timer.state;
    }

    /** The model: what the wall clock has come to is delivered or cancelled by its condition. */
    private void fire() {
        for (Timer timer : timers.values()) {
            if (timer.state.equals("PENDING") && timer.dueMillis <= broker.now()) {
                boolean fulfilled = timer.condition != null
                        && paid.getOrDefault(timer.condition, List.of()).stream()
                                .anyMatch(stored -> stored >= timer.storedMillis);
                timer.state = fulfilled ? "CANCELLED" : "DELIVERED";
            }
        }
    }

    private void compare() {
        List<String> delivered = new ArrayList<>();
        for (Message message : broker.visible("orders", 0)) {
            delivered.add(message.uniqueKey());
        }
        List<String> expected = new ArrayList<>();
        timers.forEach((key, timer) -> {
            if (timer.state.equals("DELIVERED")) {
                expected.add(key);
            }
        });
        assertThat(delivered).containsExactlyInAnyOrderElementsOf(expected);
        assertThat(broker.store.timers().pendingTimerCount())
                .isEqualTo(timers.values().stream()
                        .filter(t -> t.state.equals("PENDING"))
                        .count());
    }
}
