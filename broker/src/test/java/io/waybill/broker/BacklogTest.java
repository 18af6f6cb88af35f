/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.store.ReadResult;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The backlog of random groups against a count of every single message. */
class BacklogTest {
    private static final String TOPIC = "orders";
    private static final int QUEUES = 3;
    private static final String[] TAGS = {"PAID", "SENT", "LATE"};
    private static final String POPPERS = "poppers";

    private TestBroker broker;
    private InsightDialogue dialogue;
    private Random random;

    /** A group that pulls: one client at a time reads all queues, as far as the model says. */
    private static final class Group {
        final String name;
        final Set<String> tags;
        final String expression;
        /** Topic and queue -> committed, and where the client goes on. */
        final Map<String, Long> committed = new HashMap<>();

        final Map<String, Long> next = new HashMap<>();
        /** Where this client began to read. */
        final Map<String, Long> began = new HashMap<>();

        final List<Message> inHand = new ArrayList<>();
        FakeConnection client;
        int clients;

        Group(String name, String expression, String... tags) {
            this.name = name;
            this.expression = expression;
            this.tags = Set.of(tags);
        }

        boolean wants(String tag) {
            return tags.isEmpty() || tags.contains(tag);
        }
    }

    private record Sent(String id, String tag) {}

    private final Map<String, Sent> delayed = new LinkedHashMap<>();
    private final Map<String, Sent> halves = new LinkedHashMap<>();
    private final Map<String, Integer> retriesGiven = new HashMap<>();
    private final Map<String, Set<Long>> settled = new HashMap<>();
    private final Map<Integer, TreeMap<Long, long[]>> popped = new HashMap<>(); // offset -> deadline, or -1 when acked
    private final List<Group> groups =
            List.of(new Group("all", "*"), new Group("paid", "PAID || SENT", "PAID", "SENT"));
    private final Map<String, Integer> seen = new TreeMap<>();
    private int ids;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void itIsWhatACountOfEveryMessageSays(long seed) {
        random = new Random(seed);
        broker = new TestBroker();
        dialogue = new InsightDialogue(broker);
        try {
            for (int q = 0; q < QUEUES; q++) {
                send(q);
            }
            groups.forEach(this::join);
            dialogue.join(POPPERS, "popper", TOPIC, "*");
            for (int step = 0; step < 250; step++) {
                step();
                if (step % 25 == 24) {
                    groups.forEach(this::compare);
                    comparePoppers();
                }
            }
            assertThat(seen.keySet()).contains("ready", "inFlight", "retrying", "delayed", "half", "dead");
        } finally {
            broker.close();
        }
    }

    private void step() {
        Group group = groups.get(random.nextInt(groups.size()));
        switch (random.nextInt(16)) {
            case 0, 1, 2, 3 -> send(random.nextInt(QUEUES));
            case 4 -> sendDelayed();
            case 5 -> sendHalf();
            case 6 -> decide();
            case 7, 8 -> pull(group, TOPIC, random.nextInt(QUEUES));
            case 9 -> pull(group, "%RETRY%" + group.name, 0);
            case 10 -> commit(group);
            case 11 -> sendBack(group, random.nextInt(3) == 0 ? -1 : 0);
            case 12 -> pass(random.nextInt(20_000));
            case 13 -> {
                if (random.nextInt(4) == 0) {
                    leave(group);
                    join(group);
                }
            }
            case 14 -> settle(group);
            default -> pop();
        }
    }

    // ---- what happens

    private String tag() {
        return TAGS[random.nextInt(TAGS.length)];
    }

    private Sent sent(int queueId, String... more) {
        Sent sent = new Sent("m" + ids++, tag());
        List<String> properties = new ArrayList<>(List.of("UNIQ_KEY", sent.id(), "TAGS", sent.tag()));
        properties.addAll(List.of(more));
        broker.send(TOPIC, queueId, "body", properties.toArray(String[]::new));
        return sent;
    }

    private void send(int queueId) {
        sent(queueId);
    }

    private void sendDelayed() {
        long due = broker.clock.wallMillis() + 1 + random.nextInt(60_000);
        Sent sent = sent(random.nextInt(QUEUES), "TIMER_DELIVER_MS", Long.toString(due));
        delayed.put(sent.id(), sent);
    }

    private void sendHalf() {
        Sent sent = sent(random.nextInt(QUEUES), "TRAN_MSG", "true", "PGROUP", "tellers");
        halves.put(sent.id(), sent);
    }

    private void decide() {
        if (!halves.isEmpty()) {
            String id = halves.keySet().iterator().next();
            String decision = random.nextBoolean() ? "COMMIT" : "ROLLBACK";
            dialogue.answer(
                    RequestCode.DECIDE_TRANSACTION,
                    "{\"id\":\"" + id + "\",\"decision\":\"" + decision + "\",\"reason\":\"test\"}");
            halves.remove(id);
        }
    }

    private void join(Group group) {
        group.client = dialogue.join(group.name, group.name + "-" + group.clients++, TOPIC, group.expression);
        group.next.clear();
        group.began.clear();
        group.inHand.clear();
    }

    private void leave(Group group) {
        broker.gone(group.client);
    }

    private void pull(Group group, String topic, int queueId) {
        if (broker.store.queues().offsetRange(topic, queueId).maxOffset() == 0) {
            return;
        }
        String queue = topic + " " + queueId;
        long from = group.next.getOrDefault(queue, group.committed.getOrDefault(queue, 0L));
        String expression = topic.equals(TOPIC) ? group.expression : "*";
        Asked pulled = broker.ask(
                group.client,
                TestBroker.pulling(new io.waybill.protocol.header.PullHeader(
                        group.name,
                        topic,
                        queueId,
                        from,
                        1 + random.nextInt(4),
                        TestBroker.SUBSCRIPTION,
                        0,
                        0,
                        expression,
                        0,
                        "TAG",
                        -1,
                        "broker-a")));
        if (pulled.result() == ResponseCode.SUCCESS) {
            group.inHand.addAll(TestBroker.messages(pulled));
            group.began.putIfAbsent(queue, from);
        }
        group.next.put(queue, pulled.number("nextBeginOffset"));
    }

    private void commit(Group group) {
        for (Map.Entry<String, Long> next : group.next.entrySet()) {
            long committed = group.committed.getOrDefault(next.getKey(), 0L);
            if (next.getValue() > committed && random.nextBoolean()) {
                long offset = committed + 1 + random.nextInt((int) (next.getValue() - committed));
                String[] queue = next.getKey().split(" ");
                assertThat(dialogue.commit(group.client, group.name, queue[0], Integer.parseInt(queue[1]), offset)
                                .result())
                        .isZero();
                group.committed.put(next.getKey(), offset);
            }
        }
    }

    private void sendBack(Group group, int level) {
        if (!group.inHand.isEmpty()) {
            Message message = group.inHand.remove(random.nextInt(group.inHand.size()));
            assertThat(dialogue.sendBack(group.client, group.name, message.position(), level, 100)
                            .result())
                    .isZero();
            if (level == 0) {
                retriesGiven.merge(group.name, 1, Integer::sum);
            }
        }
    }

    private void pass(long millis) {
        broker.pass(millis);
        for (Group group : groups) {
            dialogue.heartbeat(
                    group.client,
                    group.name,
                    group.name + "-" + (group.clients - 1),
                    SubscriptionData.of(TOPIC, group.expression));
        }
    }

    private void settle(Group group) {
        List<Message> dead = all("%DLQ%" + group.name, 0);
        Set<Long> done = settled.computeIfAbsent(group.name, name -> new HashSet<>());
        if (!dead.isEmpty()) {
            long offset = dead.get(random.nextInt(dead.size())).queueOffset();
            dialogue.answer(
                    RequestCode.SETTLE_DEAD,
                    "{\"group\":\"" + group.name + "\",\"offsets\":[" + offset
                            + "],\"action\":\"DISCARD\",\"by\":\"test\"}");
            done.add(offset);
        }
    }

    private void pop() {
        int queueId = random.nextInt(QUEUES);
        TreeMap<Long, long[]> state = popped.get(queueId);
        List<PopChange> changes = new ArrayList<>();
        if (state == null) {
            state = new TreeMap<>();
            popped.put(queueId, state);
            changes.add(new PopChange.Start(0));
        }
        long now = broker.store.clock().nowMillis();
        for (long offset = 0;
                offset < broker.store.queues().offsetRange(TOPIC, queueId).maxOffset();
                offset++) {
            long[] deadline = state.get(offset);
            if (deadline == null || deadline[0] >= 0 && deadline[0] <= now) {
                if (random.nextInt(3) == 0) {
                    long until = now + 1 + random.nextInt(30_000);
                    state.put(offset, new long[] {until});
                    changes.add(new PopChange.Take(offset, now, until, 1));
                }
            } else if (deadline[0] > now && random.nextInt(3) == 0) {
                state.put(offset, new long[] {-1});
                changes.add(new PopChange.Ack(offset, offset + 1));
            }
        }
        if (!changes.isEmpty()) {
            broker.store
                    .pops()
                    .recordPops(List.of(new PopDelta(new PopKey(POPPERS, TOPIC, queueId), changes)), outcome -> {});
            broker.settle();
        }
    }

    // ---- the count

    private List<Message> all(String topic, int queueId) {
        List<Message> messages = new ArrayList<>();
        ReadResult read =
                broker.store.queues().readQueue(topic, queueId, 0, Integer.MAX_VALUE, Integer.MAX_VALUE, null, null);
        for (ByteBuffer slice : read.slices()) {
            messages.addAll(Message.decodeAll(slice));
        }
        return messages;
    }

    private static final class Count {
        long messages;
        long oldestMillis = Long.MAX_VALUE;

        void add(long storeMillis) {
            messages++;
            oldestMillis = Math.min(oldestMillis, storeMillis);
        }
    }

    private void compare(Group group) {
        Count ready = new Count();
        Count inFlight = new Count();
        Count retrying = new Count();
        Count dead = new Count();
        Set<String> visible = new TreeSet<>();
        for (int q = 0; q < QUEUES; q++) {
            for (Message message : all(TOPIC, q)) {
                visible.add(message.uniqueKey());
                if (group.wants(message.tags())) {
                    place(group, message, ready, inFlight);
                }
            }
        }
        List<Message> retries = all("%RETRY%" + group.name, 0);
        for (Message message : retries) {
            assertThat(message.property(MessageProperties.RETRY_TOPIC)).isEqualTo(TOPIC);
            place(group, message, retrying, inFlight);
        }
        long waiting = retriesGiven.getOrDefault(group.name, 0) - retries.size();
        for (Message message : all("%DLQ%" + group.name, 0)) {
            if (!settled.getOrDefault(group.name, Set.of()).contains(message.queueOffset())) {
                dead.add(message.storeTimestamp());
            }
        }
        long asleep = delayed.values().stream()
                .filter(sent -> group.wants(sent.tag()) && !visible.contains(sent.id()))
                .count();
        long open =
                halves.values().stream().filter(sent -> group.wants(sent.tag())).count();

        JsonObject row = dialogue.backlog(group.name, TOPIC);
        assertThat(row.getBoolean("exact", false)).isTrue();
        check(row, "ready", ready);
        check(row, "inFlight", inFlight);
        assertThat(row.getLong("retrying", -1)).as("retrying of %s", group.name).isEqualTo(retrying.messages + waiting);
        assertThat(row.getLong("delayed", -1)).as("delayed of %s", group.name).isEqualTo(asleep);
        assertThat(row.getLong("half", -1)).as("half of %s", group.name).isEqualTo(open);
        check(row, "dead", dead);
        for (String name : List.of("ready", "inFlight", "retrying", "delayed", "half", "dead")) {
            if (row.getLong(name, 0) > 0) {
                seen.merge(name, 1, Integer::sum);
            }
        }
        JsonObject total = dialogue.backlog(group.name).getObject("total");
        assertThat(total.getLong("ready", -1)).isEqualTo(ready.messages);
        assertThat(total.getLong("retrying", -1)).isEqualTo(retrying.messages + waiting);
    }

    private static void place(Group group, Message message, Count unread, Count inFlight) {
        String queue = message.topic() + " " + message.queueId();
        long offset = message.queueOffset();
        if (offset < group.committed.getOrDefault(queue, 0L)) {
            return;
        }
        boolean handedOut = group.began.containsKey(queue)
                && offset >= group.began.get(queue)
                && offset < group.next.getOrDefault(queue, 0L);
        (handedOut ? inFlight : unread).add(message.storeTimestamp());
    }

    private void comparePoppers() {
        Count ready = new Count();
        Count inFlight = new Count();
        long now = broker.store.clock().nowMillis();
        for (int q = 0; q < QUEUES; q++) {
            TreeMap<Long, long[]> state = popped.getOrDefault(q, new TreeMap<>());
            for (Message message : all(TOPIC, q)) {
                long[] deadline = state.get(message.queueOffset());
                if (deadline == null || deadline[0] >= 0) {
                    (deadline != null && deadline[0] > now ? inFlight : ready).add(message.storeTimestamp());
                }
            }
        }
        JsonObject row = dialogue.backlog(POPPERS, TOPIC);
        check(row, "ready", ready);
        check(row, "inFlight", inFlight);
    }

    private void check(JsonObject row, String name, Count count) {
        assertThat(row.getLong(name, -1)).as("%s in %s", name, row).isEqualTo(count.messages);
        String seconds = "oldest" + Character.toUpperCase(name.charAt(0)) + name.substring(1) + "Seconds";
        if (count.messages > 0) {
            assertThat(Math.round(row.getDouble(seconds, -1) * 1_000))
                    .as("%s in %s", seconds, row)
                    .isEqualTo(broker.store.clock().nowMillis() - count.oldestMillis);
        } else {
            assertThat(row.get(seconds)).isNull();
        }
    }

    // ---- the rest

    @Test
    void anUnknownGroupIsLookedForAwayFromTheEventLoop() {
        try (TestBroker plain = new TestBroker()) {
            Asked asked = plain.begin(
                    plain.connect(),
                    Command.request(RequestCode.GROUP_BACKLOG)
                            .body("{\"group\":\"nobody\"}".getBytes(StandardCharsets.UTF_8))
                            .build());
            assertThat(asked.isOpen()).isTrue();
            plain.settle();
            assertThat(asked.result()).isEqualTo(1);
            assertThat(asked.remark()).contains("nobody");
        }
    }

    @Test
    void aGroupNobodyKnowsIsRefused() {
        try (TestBroker fresh = new TestBroker()) {
            Asked asked = new InsightDialogue(fresh).ask(RequestCode.GROUP_BACKLOG, "{\"group\":\"nobody\"}");
            assertThat(asked.result()).isEqualTo(ResponseCode.SYSTEM_ERROR);
            assertThat(asked.remark()).contains("nobody");
            assertThat(new InsightDialogue(fresh)
                            .ask(RequestCode.GROUP_BACKLOG, "{}")
                            .result())
                    .isEqualTo(ResponseCode.INVALID_PARAMETER);
        }
    }
}
