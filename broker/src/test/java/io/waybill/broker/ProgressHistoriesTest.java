/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CloneOffsetHeader;
import io.waybill.protocol.header.DeleteGroupHeader;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Random histories of progress against a simple model: commits by request and by pull, resets and clones of groups that are online or not, deleted
 * groups, restarts and power cuts.
 *
 * <p>The model: an answered commit counts at once and outlives a power cut if it is a second old; after one, the offset is one that was in force
 * within the last second, so never ahead of an answered commit. An answered reset, clone or deletion outlives every power cut. A reset wins over
 * commits until a pull was told, once.
 */
class ProgressHistoriesTest {
    private static final int HISTORIES = Integer.getInteger("waybill.histories", 40);
    private static final int STEPS = 120;
    private static final int MESSAGES = 20;
    private static final int QUEUES = 2;
    private static final long FLUSH_MILLIS = 1_000;
    private static final long RETURN_MILLIS = 40_000;
    private static final long NONE = -1;
    private static final List<String> GROUPS = List.of("shipping", "billing");

    @Test
    void progressIsNeverAheadAndResetsWin() {
        for (int seed = 0; seed < HISTORIES; seed++) {
            try {
                new History(seed).run();
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    private record Key(String group, int queueId) {}

    private record At(long millis, long offset) {}

    /** What the model knows of one group and queue. */
    private static final class Progress {
        final List<At> past = new ArrayList<>(List.of(new At(Long.MIN_VALUE, NONE)));
        boolean untold;
        long toldMillis = Long.MIN_VALUE;

        long offset() {
            return past.get(past.size() - 1).offset();
        }

        /** Set for good: nothing from before can come back. */
        void set(long millis, long offset) {
            past.clear();
            past.add(new At(millis, offset));
        }

        List<Long> possible(long crashMillis) {
            List<Long> offsets = new ArrayList<>();
            for (int i = 0; i < past.size(); i++) {
                boolean wasOver = i + 1 < past.size() && past.get(i + 1).millis() < crashMillis - FLUSH_MILLIS;
                if (!wasOver) {
                    offsets.add(past.get(i).offset());
                }
            }
            return offsets;
        }
    }

    private static final class History {
        private final RandomSource random;
        private final long seed;
        private final TestBroker broker = new TestBroker();
        private final Map<Key, Progress> model = new HashMap<>();
        private final Map<String, FakeConnection> online = new TreeMap<>();
        private long startMillis = broker.clock.wallMillis();

        History(long seed) {
            this.seed = seed;
            random = RandomSource.seeded(seed);
            for (int i = 0; i < MESSAGES * QUEUES; i++) {
                broker.send("orders", i % QUEUES, "m" + i);
            }
            for (String group : GROUPS) {
                create(group);
                for (int queueId = 0; queueId < QUEUES; queueId++) {
                    model.put(new Key(group, queueId), new Progress());
                }
            }
        }

        void run() {
            for (int step = 0; step < STEPS; step++) {
                step();
                model.forEach(
                        (key, progress) -> assertThat(query(key)).as("%s", key).isEqualTo(progress.offset()));
            }
            broker.close();
        }

        private void step() {
            Key key = new Key(anyGroup(), random.nextInt(QUEUES));
            switch (random.nextInt(16)) {
                case 0, 1, 2, 3 -> commit(key);
                case 4, 5 -> pull(key, true);
                case 6 -> pull(key, false);
                case 7, 8 -> reset(key);
                case 9 -> cloneOffsets(key.group());
                case 10 -> joinOrLeave(key.group());
                case 11 -> pass(random.nextInt(3_000));
                case 12 -> pass(random.nextInt(2) == 0 ? 100 : 50_000);
                case 13 -> crash();
                case 14 -> restart();
                default -> delete(key.group());
            }
        }

        private String anyGroup() {
            return GROUPS.get(random.nextInt(GROUPS.size()));
        }

        private long now() {
            return broker.clock.wallMillis();
        }

        private long anyOffset() {
            return random.nextInt(MESSAGES + 1);
        }

        private void create(String group) {
            ok(Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                    .body(SubscriptionGroupConfig.of(group).toJson())
                    .build());
        }

        private void ok(Command command) {
            Asked asked = broker.ask(command);
            assertThat(asked.result()).as(asked.remark()).isZero();
        }

        private long query(Key key) {
            Asked asked = broker.ask(Command.request(RequestCode.QUERY_CONSUMER_OFFSET)
                    .field("consumerGroup", key.group())
                    .field("topic", "orders")
                    .field("queueId", key.queueId())
                    .field("setZeroIfNotFound", false)
                    .build());
            return asked.result() == ResponseCode.QUERY_NOT_FOUND ? NONE : asked.number("offset");
        }

        private void committed(Key key, long offset) {
            Progress progress = model.get(key);
            if (!progress.untold) {
                progress.past.add(new At(now(), offset));
            }
        }

        private void commit(Key key) {
            long offset = anyOffset();
            ok(Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                    .field("consumerGroup", key.group())
                    .field("topic", "orders")
                    .field("queueId", key.queueId())
                    .field("commitOffset", offset)
                    .build());
            committed(key, offset);
        }

        private void pull(Key key, boolean commits) {
            long offset = anyOffset();
            int flags = TestBroker.SUBSCRIPTION | (commits ? TestBroker.COMMIT : 0);
            Asked pulled = broker.ask(TestBroker.pulling(new PullHeader(
                    key.group(), "orders", key.queueId(), 0, 32, flags, offset, 0, "*", 0, "TAG", 0, "broker-a")));
            Progress progress = model.get(key);
            if (commits) {
                committed(key, offset);
            }
            if (progress.untold) {
                assertThat(pulled.result()).isEqualTo(ResponseCode.PULL_OFFSET_MOVED);
                assertThat(pulled.number("nextBeginOffset")).isEqualTo(progress.offset());
                progress.untold = false;
                progress.toldMillis = now();
            } else {
                assertThat(pulled.result()).as("nobody reset it").isZero();
            }
        }

        private void setForGood(Key key, long offset) {
            Progress progress = model.get(key);
            progress.set(now(), offset);
            progress.untold = online.containsKey(key.group()) || now() - startMillis < RETURN_MILLIS;
            progress.toldMillis = Long.MIN_VALUE;
        }

        private void reset(Key key) {
            long offset = anyOffset();
            ok(Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                    .header(new ResetOffsetHeader("orders", key.group(), 0, true, key.queueId(), offset))
                    .build());
            setForGood(key, offset);
        }

        private void cloneOffsets(String target) {
            String source = GROUPS.get(1 - GROUPS.indexOf(target));
            ok(Command.request(RequestCode.CLONE_GROUP_OFFSET)
                    .header(new CloneOffsetHeader(source, target, "orders", true))
                    .build());
            for (int queueId = 0; queueId < QUEUES; queueId++) {
                long offset = model.get(new Key(source, queueId)).offset();
                if (offset != NONE) {
                    setForGood(new Key(target, queueId), offset);
                }
            }
        }

        private void delete(String group) {
            ok(Command.request(RequestCode.DELETE_SUBSCRIPTIONGROUP)
                    .header(new DeleteGroupHeader(group, true))
                    .build());
            create(group);
            for (int queueId = 0; queueId < QUEUES; queueId++) {
                Progress progress = model.get(new Key(group, queueId));
                progress.set(now(), NONE);
                progress.untold = false;
                progress.toldMillis = Long.MIN_VALUE;
            }
        }

        private void joinOrLeave(String group) {
            FakeConnection connection = online.remove(group);
            if (connection != null) {
                broker.gone(connection);
            } else {
                FakeConnection fresh = broker.connect();
                beat(group, fresh);
                online.put(group, fresh);
            }
        }

        private void beat(String group, FakeConnection connection) {
            Asked asked = broker.ask(
                    connection, TestBroker.heartbeat("client", group, SubscriptionData.of("orders", "*", 1)));
            assertThat(asked.result()).isZero();
        }

        private void pass(long millis) {
            broker.pass(millis);
            online.forEach(this::beat);
        }

        private void restart() {
            broker.restart();
            startMillis = now();
            online.clear();
            for (Progress progress : model.values()) {
                progress.set(now(), progress.offset());
                progress.toldMillis = Long.MIN_VALUE;
            }
        }

        private void crash() {
            long crashMillis = now();
            broker.crash(seed * 31 + crashMillis);
            startMillis = now();
            online.clear();
            model.forEach((key, progress) -> {
                long offset = query(key);
                if (progress.untold) {
                    assertThat(offset).as("reset of %s", key).isEqualTo(progress.offset());
                } else {
                    assertThat(offset).as("%s after a power cut", key).isIn(progress.possible(crashMillis));
                }
                boolean mayBeToldAgain = progress.toldMillis >= crashMillis - FLUSH_MILLIS;
                progress.set(crashMillis, offset);
                progress.toldMillis = Long.MIN_VALUE;
                if (mayBeToldAgain) {
                    Asked pulled = broker.ask(
                            TestBroker.pulling(key.group(), "orders", key.queueId(), 0, TestBroker.SUBSCRIPTION, "*"));
                    if (pulled.result() == ResponseCode.PULL_OFFSET_MOVED) {
                        assertThat(pulled.number("nextBeginOffset")).isEqualTo(offset);
                        progress.toldMillis = crashMillis;
                    }
                }
            });
        }
    }
}
