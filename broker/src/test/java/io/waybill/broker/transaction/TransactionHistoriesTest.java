/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.FakeRequest;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CheckTransactionHeader;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.json.Json;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionRecord;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Random transactions with producers that answer, contradict themselves, vanish and come back, operators, restarts and power cuts, against a model
 * that remembers the first decision of each: it wins, its message is visible once if and only if it is a commit, nobody is asked too early, and only
 * what was delivered counts.
 */
class TransactionHistoriesTest {
    private static final int HISTORIES = Integer.getInteger("waybill.histories", 60);
    private static final int CHECK_MAX = 3;
    private static final long TIMEOUT_MILLIS = 6_000;
    private static final long CHECK_MILLIS = 30_000;
    private static final int COMMIT = 8;
    private static final int ROLLBACK = 12;

    @Test
    void theFirstDecisionWinsWhateverHappens() {
        for (int seed = 0; seed < HISTORIES; seed++) {
            try {
                new History(seed).run();
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    /** What the model knows of one half message. */
    private static final class Half {
        final long handle;
        final String group;
        final String key;
        final long storedMillis;
        final boolean ownImmunity;
        final long immunityMillis;
        final long firstCheckMillis;
        Decision decision;
        int delivered;
        boolean resumed;

        Half(long handle, String group, String key, long storedMillis, String immunity) {
            this(
                    handle,
                    group,
                    key,
                    storedMillis,
                    immunity != null,
                    immunityMillis(immunity),
                    immunityMillis(immunity));
        }

        Half(
                long handle,
                String group,
                String key,
                long storedMillis,
                boolean ownImmunity,
                long immunityMillis,
                long firstDelayMillis) {
            this.handle = handle;
            this.group = group;
            this.key = key;
            this.storedMillis = storedMillis;
            this.ownImmunity = ownImmunity;
            this.immunityMillis = immunityMillis;
            this.firstCheckMillis = storedMillis + firstDelayMillis;
        }

        private static long immunityMillis(String immunity) {
            boolean number = immunity != null && immunity.matches("\\d+");
            return number ? Long.parseLong(immunity) * 1_000 : TIMEOUT_MILLIS;
        }
    }

    private static final class History {
        private static final String[] IMMUNITIES = {null, null, null, "0", "2", "100", "-1", "soon", "3.5"};

        private final RandomSource random;
        private final SimulatedBroker broker =
                new SimulatedBroker(BrokerSettings.defaults().with("transactionCheckMax", CHECK_MAX));
        private final Map<Long, Half> halves = new TreeMap<>();
        private final Map<FakeConnection, String> producers = new LinkedHashMap<>();
        private int keys;

        History(long seed) {
            random = RandomSource.seeded(seed);
        }

        void run() {
            try {
                broker.topic("orders", 1);
                for (int step = 0; step < 120; step++) {
                    step();
                    look();
                }
                // In the end somebody is there and says nothing: every half that is left is given up.
                join("shop");
                join("bank");
                for (int i = 0; i < 3 * CHECK_MAX; i++) {
                    broker.pass(200_000);
                    look();
                }
                assertThat(broker.store.transactions().openHalves(1)).isEmpty();
            } finally {
                broker.close();
            }
        }

        private void step() {
            switch (random.nextInt(20)) {
                case 0, 1, 2, 3 -> send();
                case 4, 5, 6, 7, 8 -> end();
                case 9 -> join(random.nextInt(2) == 0 ? "shop" : "bank");
                case 10 -> leave();
                case 11 -> oneOf(new ArrayList<>(producers.keySet()), FakeConnection::dieOnSend);
                case 12 -> oneOf(new ArrayList<>(halves.values()), this::decideByHand);
                case 13 -> oneOf(new ArrayList<>(halves.values()), this::resume);
                case 14 -> {
                    if (random.nextInt(3) == 0) {
                        startAgain();
                    }
                }
                case 15 -> oneOf(new ArrayList<>(halves.values()), this::endInAPowerCut);
                case 16 -> broker.pass(random.nextInt(120_000));
                default -> broker.pass(random.nextInt(8_000));
            }
        }

        private interface Act<T> {
            void on(T one);
        }

        private <T> void oneOf(List<T> all, Act<T> act) {
            if (!all.isEmpty()) {
                act.on(all.get(random.nextInt(all.size())));
            }
        }

        private void send() {
            String group = random.nextInt(2) == 0 ? "shop" : "bank";
            String key = "u" + keys++;
            String immunity = IMMUNITIES[random.nextInt(IMMUNITIES.length)];
            Map<String, String> properties = SimulatedBroker.properties(key);
            if (immunity != null) {
                properties.put("CHECK_IMMUNITY_TIME_IN_SECONDS", immunity);
            }
            long now = broker.now();
            long handle = broker.half(group, "orders", 0, properties);
            halves.put(handle, new Half(handle, group, key, now, immunity));
        }

        private void join(String group) {
            producers.put(broker.producer(group), group);
        }

        private void leave() {
            oneOf(new ArrayList<>(producers.keySet()), producer -> {
                count(producer);
                producers.remove(producer);
                broker.gone(producer);
            });
        }

        private void startAgain() {
            producers.keySet().forEach(this::count);
            producers.clear();
            if (random.nextInt(2) == 0) {
                broker.restart();
            } else {
                broker.crash(random.nextLong());
            }
        }

        /** A producer's word on any half, decided or not, asked for or not, sometimes a foreign one's. */
        private void end() {
            oneOf(new ArrayList<>(halves.values()), half -> {
                int word = random.nextInt(5) == 0 ? 0 : random.nextInt(2) == 0 ? COMMIT : ROLLBACK;
                boolean fromCheck = random.nextInt(2) == 0;
                boolean foreign = random.nextInt(8) == 0;
                String group = foreign ? "thief" : half.group;
                EndTransactionHeader header = new EndTransactionHeader(
                        "orders", group, 0, half.handle, word, fromCheck, half.key, half.key, SimulatedBroker.NAME);
                int code = broker.request(
                                broker.connect(),
                                Command.request(RequestCode.END_TRANSACTION)
                                        .header(header)
                                        .build())
                        .code();
                if (word == 0) {
                    assertThat(code).isZero();
                    return;
                }
                Decision wanted = word == COMMIT ? Decision.COMMIT : Decision.ROLLBACK;
                if (half.decision != null) {
                    assertThat(code).isEqualTo(half.decision == wanted ? 0 : ResponseCode.ILLEGAL_OPERATION);
                } else if (foreign) {
                    assertThat(code).isEqualTo(ResponseCode.SYSTEM_ERROR);
                } else if (half.ownImmunity && !fromCheck && broker.now() - half.storedMillis > half.immunityMillis) {
                    assertThat(code).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
                } else {
                    assertThat(code).isZero();
                    half.decision = wanted;
                }
            });
        }

        /** The power is cut somewhere between the producer's word and its answer: both or neither of decision and message are there. */
        private void endInAPowerCut(Half half) {
            Decision wanted = random.nextInt(2) == 0 ? Decision.COMMIT : Decision.ROLLBACK;
            EndTransactionHeader header = new EndTransactionHeader(
                    "orders",
                    half.group,
                    0,
                    half.handle,
                    wanted == Decision.COMMIT ? COMMIT : ROLLBACK,
                    true,
                    half.key,
                    half.key,
                    SimulatedBroker.NAME);
            FakeRequest request = broker.submit(
                    broker.connect(),
                    Command.request(RequestCode.END_TRANSACTION).header(header).build());
            for (int steps = random.nextInt(4); steps > 0 && broker.step(); steps--) {
                continue;
            }
            boolean answered = request.reply() != null && request.reply().code() == 0;
            producers.keySet().forEach(this::count);
            producers.clear();
            broker.crash(random.nextLong());
            boolean kept = broker.store.transactions().decisionOf(half.handle) != null;
            if (half.decision == null && (answered || kept)) {
                half.decision = wanted;
            }
        }

        private Command decide(Half half, String word) {
            String json = "{\"id\":\"" + half.handle + "\",\"decision\":\"" + word + "\",\"reason\":\"because\"}";
            return broker.request(
                    broker.connect(),
                    Command.request(RequestCode.DECIDE_TRANSACTION)
                            .body(json.getBytes())
                            .build());
        }

        private void decideByHand(Half half) {
            Decision wanted = random.nextInt(2) == 0 ? Decision.COMMIT : Decision.ROLLBACK;
            Command reply = decide(half, wanted == Decision.COMMIT ? "COMMIT" : "ROLLBACK");
            if (half.decision == null) {
                assertThat(reply.code()).as(reply.remark()).isZero();
                half.decision = wanted;
            } else {
                assertThat(reply.code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
                assertThat(reply.remark()).contains(" by ");
            }
        }

        private void resume(Half half) {
            Command reply = decide(half, "RESUME");
            if (half.decision != Decision.EXHAUSTED || half.resumed) {
                assertThat(reply.code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
                return;
            }
            assertThat(reply.code()).as(reply.remark()).isZero();
            half.resumed = true;
            long handle = Json.parse(reply.body()).getObject("transaction").requireLong("handle");
            halves.put(
                    handle,
                    new Half(
                            handle,
                            half.group,
                            half.key,
                            broker.now(),
                            half.ownImmunity,
                            half.immunityMillis,
                            0)); // asked about at once
        }

        // ---- what is there

        private void count(FakeConnection producer) {
            for (Command command : producer.take()) {
                if (command.code() == RequestCode.CHECK_TRANSACTION_STATE) {
                    CheckTransactionHeader check = CheckTransactionHeader.read(command.fields());
                    Half half = halves.get(check.commitLogOffset());
                    assertThat(producers.get(producer)).isEqualTo(half.group);
                    assertThat(check.msgId()).isEqualTo(half.key);
                    half.delivered++;
                }
            }
        }

        private void look() {
            producers.keySet().forEach(this::count);
            List<String> committed = new ArrayList<>();
            List<String> aside = new ArrayList<>();
            for (Half half : halves.values()) {
                DecisionRecord decision = broker.store.transactions().decisionOf(half.handle);
                if (half.decision == null && decision != null) {
                    assertThat(decision.outcome()).isEqualTo(Decision.EXHAUSTED);
                    assertThat(half.delivered).isEqualTo(CHECK_MAX);
                    half.decision = Decision.EXHAUSTED;
                }
                assertThat(decision == null ? null : decision.outcome()).isEqualTo(half.decision);
                if (half.decision == null) {
                    assertThat(broker.store.transactions().openHalf(half.handle).checks())
                            .isEqualTo(half.delivered);
                } else {
                    assertThat(broker.store.transactions().openHalf(half.handle))
                            .isNull();
                }
                times(half);
                if (half.decision == Decision.COMMIT) {
                    committed.add(half.key);
                } else if (half.decision == Decision.EXHAUSTED) {
                    aside.add(half.key);
                }
            }
            assertThat(broker.visibleKeys("orders", 0)).containsExactlyInAnyOrderElementsOf(committed);
            assertThat(broker.visibleKeys(Names.TRANS_CHECK_MAX_TIME_TOPIC, 0))
                    .containsExactlyInAnyOrderElementsOf(aside);
        }

        /** Every delivered check is in the history, none too early, none too soon after another. */
        private void times(Half half) {
            List<CheckEvent> events = broker.store.transactions().checksOf(half.handle);
            // Answers from elsewhere than was asked stand alone; of each check there is one at most.
            assertThat(events.stream().filter(event -> event.answerOrNull() != null))
                    .hasSizeLessThanOrEqualTo(half.delivered);
            List<CheckEvent> checks =
                    events.stream().filter(event -> event.number() > 0).toList();
            assertThat(checks).hasSize(half.delivered).hasSizeLessThanOrEqualTo(CHECK_MAX);
            long earliest = half.firstCheckMillis;
            for (int i = 0; i < checks.size(); i++) {
                CheckEvent check = checks.get(i);
                assertThat(check.number()).isEqualTo(i + 1);
                assertThat(check.client()).startsWith("client-");
                assertThat(check.atMillis()).isGreaterThanOrEqualTo(earliest);
                earliest = check.atMillis() + CHECK_MILLIS;
            }
        }
    }
}
