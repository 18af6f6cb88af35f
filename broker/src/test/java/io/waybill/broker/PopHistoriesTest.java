/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.BatchAckBody;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.AckHeader;
import io.waybill.protocol.header.ChangeInvisibleHeader;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.protocol.message.Message;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random histories of pops, acknowledgements, changes, passing time, resets, restarts and crashes, compared with a model that is a table of
 * messages. {@code -Dwaybill.seed=S -Dwaybill.histories=N} for others and more.
 */
class PopHistoriesTest {
    private static final String TOPIC = "orders";
    private static final String GROUP = "shop";
    private static final int QUEUES = 3;
    private static final int STEPS = 220;

    /** What the model knows of a message. */
    private static final class Known {
        boolean done;
        int deliveries;
        long popTime = -1;
        long until;
        /** Its taking may have got lost in a crash: a delivery may come early and count less. */
        boolean unsure;
    }

    private final class History {
        final RandomSource random;
        final boolean ordered;
        final TestBroker broker = new TestBroker(BrokerSettings.defaults().with("retryMax", 10_000));
        final List<List<Known>> queues = new ArrayList<>();
        final List<PopHandle> handles = new ArrayList<>();
        final StringBuilder told = new StringBuilder();
        FakeConnection client = broker.connect();

        History(long seed, boolean ordered) {
            this.random = RandomSource.seeded(seed);
            this.ordered = ordered;
            for (int i = 0; i < QUEUES; i++) {
                queues.add(new ArrayList<>());
                send(i);
            }
        }

        void tell(String step) {
            told.append(broker.clock.wallMillis() % 1_000_000_000)
                    .append(' ')
                    .append(step)
                    .append('\n');
        }

        long now() {
            return broker.clock.wallMillis();
        }

        Known known(int queue, long offset) {
            return queues.get(queue).get((int) offset);
        }

        void send(int queue) {
            broker.send(TOPIC, queue, "m" + queues.get(queue).size());
            queues.get(queue).add(new Known());
        }

        void step() {
            int dice = random.nextInt(100);
            if (dice < 25) {
                send(random.nextInt(QUEUES));
            } else if (dice < 55) {
                pop();
            } else if (dice < 72) {
                ack();
            } else if (dice < 77) {
                batchAck();
            } else if (dice < 83) {
                change();
            } else if (dice < 93) {
                broker.pass(1 + random.nextInt(20_000));
            } else if (dice < 96) {
                reset();
            } else if (dice < 98) {
                tell("restart");
                broker.restart();
                client = broker.connect();
            } else {
                tell("crash");
                broker.crash(random.nextLong());
                client = broker.connect();
                queues.forEach(queue -> queue.forEach(known -> known.unsure |= known.popTime >= 0 && !known.done));
            }
        }

        void pop() {
            int queue = random.nextInt(4) == 0 ? -1 : random.nextInt(QUEUES);
            long invisible = 1 + random.nextInt(30_000);
            Asked popped = broker.ask(
                    client,
                    Command.request(RequestCode.POP_MESSAGE)
                            .header(new PopHeader(
                                    GROUP,
                                    TOPIC,
                                    queue,
                                    1 + random.nextInt(5),
                                    invisible,
                                    0,
                                    now(),
                                    0,
                                    "TAG",
                                    "*",
                                    ordered,
                                    null,
                                    null))
                            .build());
            if (popped.result() == ResponseCode.POLLING_TIMEOUT) {
                tell("pop of " + queue + " found nothing");
                assertNothingDue(queue);
                return;
            }
            assertThat(popped.result()).as(popped.remark()).isZero();
            for (Message message : TestBroker.messages(popped)) {
                taken(popped, message, invisible);
            }
        }

        void taken(Asked popped, Message message, long invisible) {
            int queue = message.queueId();
            Known known = known(queue, message.queueOffset());
            tell("got " + queue + "/" + message.queueOffset() + " tries " + message.reconsumeTimes());
            assertThat(known.done).as("acknowledged, but came again").isFalse();
            if (!known.unsure) {
                assertThat(known.until).as("somebody holds it").isLessThanOrEqualTo(now());
                assertThat(message.reconsumeTimes()).as("deliveries").isEqualTo(known.deliveries);
            }
            if (ordered) {
                for (long before = 0; before < message.queueOffset(); before++) {
                    Known earlier = known(queue, before);
                    assertThat(earlier.done || earlier.unsure || earlier.until > now())
                            .as("overtook " + before)
                            .isTrue();
                    // What is held must be held by this very pop.
                    if (!earlier.done && !earlier.unsure) {
                        assertThat(earlier.popTime).as("overtook " + before).isEqualTo(popped.number("popTime"));
                    }
                }
            }
            known.unsure = false;
            known.deliveries = message.reconsumeTimes() + 1;
            known.popTime = popped.number("popTime");
            known.until = now() + invisible;
            handles.add(new PopHandle(
                    message.queueOffset(),
                    popped.number("popTime"),
                    invisible,
                    0,
                    "0",
                    "broker-a",
                    queue,
                    message.queueOffset()));
        }

        void assertNothingDue(int queue) {
            for (int id = 0; id < QUEUES; id++) {
                if (queue >= 0 && id != queue) {
                    continue;
                }
                boolean isHeld = queues.get(id).stream().anyMatch(k -> !k.done && k.until > now());
                if (ordered && isHeld) {
                    continue;
                }
                assertThat(queues.get(id))
                        .as("queue " + id + " had something")
                        .allMatch(known -> known.done || known.until > now());
            }
        }

        PopHandle anyHandle() {
            if (handles.isEmpty()) {
                return null;
            }
            // Mostly a young one, sometimes one of long ago.
            int back = random.nextInt(4) == 0 ? handles.size() : Math.min(handles.size(), 8);
            return handles.get(handles.size() - 1 - random.nextInt(back));
        }

        void acked(PopHandle handle) {
            Known known = known(handle.queueId(), handle.offset());
            if (known.popTime == handle.popTime()) {
                known.done = true;
            }
        }

        void ack() {
            PopHandle handle = anyHandle();
            if (handle == null) {
                return;
            }
            tell("ack " + handle);
            Asked acked = broker.ask(
                    client,
                    Command.request(RequestCode.ACK_MESSAGE)
                            .header(new AckHeader(
                                    GROUP, TOPIC, handle.queueId(), handle.toString(), handle.offset(), null))
                            .build());
            told.append("  ").append(acked.result()).append('\n');
            assertAnswer(acked, known(handle.queueId(), handle.offset()), handle);
            if (acked.result() == 0) {
                acked(handle);
            }
        }

        /** 0 means that the message does not come again, or is somebody else's; 208 that it comes again. */
        void assertAnswer(Asked acked, Known known, PopHandle handle) {
            if (acked.result() == ResponseCode.NO_MESSAGE) {
                boolean isHolder = known.popTime == handle.popTime();
                assertThat(known.done).as("208 for what is done").isFalse();
                assertThat(isHolder && !known.unsure).as("208 for the holder").isFalse();
            } else {
                assertThat(acked.result()).as(acked.remark()).isZero();
            }
        }

        void batchAck() {
            PopHandle handle = anyHandle();
            if (handle == null) {
                return;
            }
            BitSet bits = new BitSet();
            List<PopHandle> same = new ArrayList<>();
            for (PopHandle other : handles) {
                boolean isSame = other.popTime() == handle.popTime() && other.queueId() == handle.queueId();
                if (isSame && other.offset() >= handle.offset()) {
                    bits.set((int) (other.offset() - handle.offset()));
                    same.add(other);
                }
            }
            tell("batch ack of " + same.size() + " from " + handle);
            BatchAckBody body = new BatchAckBody(
                    null,
                    List.of(new BatchAckBody.Entry(
                            GROUP, TOPIC, "0", handle.offset(), handle.queueId(), 0, handle.popTime(), 1, bits)));
            Asked acked = broker.ask(
                    client,
                    Command.request(RequestCode.BATCH_ACK_MESSAGE)
                            .body(body.toJson())
                            .build());
            told.append("  ").append(acked.result()).append('\n');
            if (acked.result() == 0) {
                same.forEach(this::acked);
            } else {
                // Those that were held are done all the same; which ones that is in doubt after a crash.
                for (PopHandle one : same) {
                    Known known = known(one.queueId(), one.offset());
                    if (known.popTime == one.popTime() && !known.unsure) {
                        known.done = true;
                    }
                }
            }
        }

        void change() {
            PopHandle handle = anyHandle();
            if (handle == null) {
                return;
            }
            long invisible = 1 + random.nextInt(30_000);
            Asked changed = broker.ask(
                    client,
                    Command.request(RequestCode.CHANGE_MESSAGE_INVISIBLETIME)
                            .header(new ChangeInvisibleHeader(
                                    GROUP,
                                    TOPIC,
                                    handle.queueId(),
                                    handle.toString(),
                                    handle.offset(),
                                    invisible,
                                    false,
                                    null))
                            .build());
            tell("change of " + handle + " to " + invisible + ": " + changed.result());
            Known known = known(handle.queueId(), handle.offset());
            boolean isHolder = !known.done && known.popTime == handle.popTime();
            if (!known.unsure) {
                assertThat(changed.result()).isEqualTo(isHolder ? 0 : ResponseCode.NO_MESSAGE);
            }
            if (changed.result() == 0) {
                known.popTime = changed.number("popTime");
                known.until = now() + invisible;
                handles.add(new PopHandle(
                        handle.offset(),
                        known.popTime,
                        invisible,
                        0,
                        "0",
                        "broker-a",
                        handle.queueId(),
                        handle.offset()));
            }
        }

        void reset() {
            int queue = random.nextInt(QUEUES);
            long offset = random.nextInt(queues.get(queue).size() + 1);
            tell("reset of " + queue + " to " + offset);
            Asked reset = broker.ask(Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                    .header(new ResetOffsetHeader(TOPIC, GROUP, 0, true, queue, offset))
                    .build());
            if (reset.result() == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST) {
                return; // nobody popped yet
            }
            assertThat(reset.result()).as(reset.remark()).isZero();
            for (int i = 0; i < queues.get(queue).size(); i++) {
                Known fresh = new Known();
                fresh.done = i < offset;
                queues.get(queue).set(i, fresh);
            }
            broker.pass(1); // handles of the same millisecond would be those of the new time
        }

        /** At the end everything comes that is not acknowledged, and nothing else. */
        void drain() {
            for (int round = 0; round < 400; round++) {
                broker.pass(31_000);
                for (int queue = 0; queue < QUEUES; queue++) {
                    pop();
                }
                new HashSet<>(handles).forEach(handle -> {
                    Known known = known(handle.queueId(), handle.offset());
                    if (!known.done && known.popTime == handle.popTime()) {
                        Asked acked = broker.ask(
                                client,
                                Command.request(RequestCode.ACK_MESSAGE)
                                        .header(new AckHeader(
                                                GROUP,
                                                TOPIC,
                                                handle.queueId(),
                                                handle.toString(),
                                                handle.offset(),
                                                null))
                                        .build());
                        if (acked.result() == 0) {
                            acked(handle);
                        }
                    }
                });
                if (queues.stream().allMatch(queue -> queue.stream().allMatch(known -> known.done))) {
                    break;
                }
            }
            Map<Integer, Set<Integer>> left = new HashMap<>();
            for (int queue = 0; queue < QUEUES; queue++) {
                for (int i = 0; i < queues.get(queue).size(); i++) {
                    if (!queues.get(queue).get(i).done) {
                        left.computeIfAbsent(queue, q -> new HashSet<>()).add(i);
                    }
                }
            }
            assertThat(left).as("never came").isEmpty();
            broker.pass(40_000);
            for (int queue = 0; queue < QUEUES; queue++) {
                assertThat(broker.store.offsets().committedOffset(GROUP, TOPIC, queue))
                        .as("committed of queue " + queue)
                        .isEqualTo(queues.get(queue).size());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whateverHappensTheModelHolds(boolean ordered) {
        long seed = Long.getLong("waybill.seed", 1);
        int histories = Integer.getInteger("waybill.histories", 60);
        run(10_572, ordered); // a reset that was pending over a crash, and nobody popped that queue again
        for (long one = seed; one < seed + histories; one++) {
            run(one, ordered);
        }
    }

    private void run(long one, boolean ordered) {
        History history = new History(one, ordered);
        try {
            for (int i = 0; i < STEPS; i++) {
                history.step();
            }
            history.drain();
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError(
                    "history " + one + (ordered ? ", ordered" : "") + ": " + e.getMessage() + "\n" + history.told, e);
        } finally {
            history.broker.close();
        }
    }
}
