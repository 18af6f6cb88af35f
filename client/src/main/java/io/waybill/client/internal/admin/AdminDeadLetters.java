/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.DeadLetters;
import io.waybill.client.MessageQueue;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.JsonValues;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;

/** Dead letters, of all brokers together. Work with a rate limit goes in small steps, so that no call lasts long and an interrupt ends it between two. */
final class AdminDeadLetters implements DeadLetters {
    private static final int PAGE = 1_000;
    private static final int STEP = 100;

    private final AdminConnections cluster;
    private final MessageQueryApi messages;

    AdminDeadLetters(AdminConnections cluster) {
        this.cluster = cluster;
        this.messages = new MessageQueryApi(cluster.connections);
    }

    @Override
    public Page list(String group, long fromOffset, int max, boolean settled) {
        ArgumentChecks.group(group);
        ArgumentChecks.positive("max", max);
        List<DeadLetter> letters = new ArrayList<>();
        long total = 0;
        long open = 0;
        for (Map.Entry<String, String> broker : cluster.living().entrySet()) {
            Optional<JsonObject> answer = page(broker.getKey(), broker.getValue(), group, fromOffset, max, settled);
            if (answer.isPresent()) {
                total += answer.get().getLong("total", 0);
                open += answer.get().getLong("open", 0);
                letters.addAll(letters(broker.getKey(), answer.get()));
            }
        }
        if (total == 0) {
            cluster.requireGroup(group);
        }
        letters.sort(Comparator.comparing(DeadLetter::deadSince, Comparator.nullsFirst(Comparator.naturalOrder())));
        return new Page(group, total, open, List.copyOf(letters.subList(0, Math.min(max, letters.size()))));
    }

    private Optional<JsonObject> page(
            String broker, String address, String group, long from, int max, boolean settled) {
        return cluster.find(
                address,
                RequestCode.LIST_DEAD,
                new JsonWriter()
                        .beginObject()
                        .field("group", group)
                        .field("from", from)
                        .field("max", Math.min(max, PAGE))
                        .field("settled", settled)
                        .endObject(),
                "asking " + broker + " for the dead letters of " + group);
    }

    private static List<DeadLetter> letters(String broker, JsonObject answer) {
        List<DeadLetter> letters = new ArrayList<>();
        for (JsonObject one : answer.getArray("deadLetters").objects("deadLetters")) {
            letters.add(new DeadLetter(
                    broker,
                    one.requireLong("offset"),
                    one.getString("offsetMsgId"),
                    one.getString("uniqueKey"),
                    one.getString("originTopic"),
                    one.getString("originMessageId"),
                    one.getInt("tries", 0),
                    JsonValues.instant(one, "firstMillis"),
                    JsonValues.instant(one, "deadMillis"),
                    one.getString("reason"),
                    JsonValues.words(one, "keys"),
                    one.getString("tags"),
                    one.getInt("bodySize", 0),
                    JsonValues.constant(State.class, one.getString("state"), State.OPEN)));
        }
        return letters;
    }

    @Override
    public Optional<ReceivedMessage> read(String group, DeadLetter letter) {
        String address =
                AdminConnections.only(cluster.living(), letter.broker()).get(letter.broker());
        try {
            Message stored = AdminConnections.await(
                    messages.at(address, MessageIds.decode(letter.storedId()).position()),
                    "reading dead letter " + letter.storedId());
            MessageQueue queue = new MessageQueue(Names.deadLetterTopic(group), letter.broker(), stored.queueId());
            return Optional.of(new InboundMessage(stored, queue, 0));
        } catch (WaybillException e) {
            if (AdminConnections.isUnknown(e)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    @Override
    public List<Outcome> redrive(String group, Selection which, Redrive how, String by, String reason) {
        ArgumentChecks.given("how", how);
        if (how.maxPerSecond() < 0 || Double.isNaN(how.maxPerSecond())) {
            throw ClientExceptions.invalid(
                    "the rate must be above 0, but is " + how.maxPerSecond(), "leave it out for no limit");
        }
        return settle(group, which, how, by, reason);
    }

    @Override
    public List<Outcome> discard(String group, Selection which, String by, String reason) {
        return settle(group, which, null, by, reason);
    }

    private List<Outcome> settle(String group, Selection which, Redrive how, String by, String reason) {
        ArgumentChecks.group(group);
        ArgumentChecks.given("which", which);
        ArgumentChecks.given("by", by);
        Map<String, String> brokers = AdminConnections.only(cluster.living(), which.broker());
        if (!which.offsets().isEmpty() && brokers.size() > 1) {
            throw ClientExceptions.invalid(
                    "the offsets could be those of any of the brokers " + brokers.keySet(), "name the broker");
        }
        List<Outcome> outcomes = new ArrayList<>();
        brokers.forEach((broker, address) -> {
            List<Long> offsets = which.offsets().isEmpty() ? open(broker, address, group) : which.offsets();
            settle(new Settlement(broker, address, group, how, by, reason), offsets, outcomes);
        });
        if (outcomes.isEmpty()) {
            cluster.requireGroup(group); // nothing to settle, or nobody who could have had it
        }
        return List.copyOf(outcomes);
    }

    /** All open dead letters there are now, so that those that come meanwhile are left alone. */
    private List<Long> open(String broker, String address, String group) {
        List<Long> offsets = new ArrayList<>();
        long from = 0;
        while (true) {
            Optional<JsonObject> answer = page(broker, address, group, from, PAGE, false);
            List<DeadLetter> letters = answer.map(json -> letters(broker, json)).orElse(List.of());
            for (DeadLetter letter : letters) {
                if (letter.state() == State.OPEN && letter.offset() >= from) {
                    offsets.add(letter.offset());
                }
            }
            if (letters.isEmpty()) {
                return offsets;
            }
            from = Collections.max(letters, Comparator.comparing(DeadLetter::offset))
                            .offset()
                    + 1;
        }
    }

    private record Settlement(String broker, String address, String group, Redrive how, String by, String reason) {
        double rate() {
            return how == null ? 0 : how.maxPerSecond();
        }
    }

    private void settle(Settlement settlement, List<Long> offsets, List<Outcome> outcomes) {
        int step = settlement.rate() > 0 ? (int) Math.max(1, Math.min(STEP, settlement.rate() / 2)) : STEP;
        long dueNanos = cluster.runtime.clock().nanoTime();
        for (int from = 0; from < offsets.size(); from += step) {
            List<Long> part = offsets.subList(from, Math.min(offsets.size(), from + step));
            if (settlement.rate() > 0) {
                pauseUntil(dueNanos);
                dueNanos = cluster.runtime.clock().nanoTime() + (long) (part.size() * 1e9 / settlement.rate());
            }
            JsonObject answer = cluster.json(
                    settlement.address(),
                    RequestCode.SETTLE_DEAD,
                    question(settlement, part),
                    "settling dead letters of " + settlement.group());
            for (JsonObject one : answer.getArray("results").objects("results")) {
                String word = one.getString("answer");
                Outcome.Answer known = JsonValues.constant(Outcome.Answer.class, word, null);
                if (known == null) {
                    throw JsonValues.unknownWord("answer", word);
                }
                outcomes.add(new Outcome(
                        settlement.broker(),
                        one.requireLong("offset"),
                        known,
                        one.getString("offsetMsgId"),
                        one.getString("text")));
            }
        }
    }

    private static JsonWriter question(Settlement settlement, List<Long> offsets) {
        JsonWriter json = new JsonWriter()
                .beginObject()
                .field("group", settlement.group())
                .field("action", settlement.how() == null ? "DISCARD" : "REDRIVE")
                .field("by", settlement.by());
        json.name("offsets").beginArray();
        offsets.forEach(offset -> json.value((long) offset));
        json.endArray();
        if (settlement.reason() != null) {
            json.field("reason", settlement.reason());
        }
        Redrive how = settlement.how();
        if (how != null) {
            json.field("toGroupOnly", how.toGroupOnly());
            if (!how.properties().isEmpty() || how.body() != null) {
                json.name("edit").beginObject();
                json.name("properties").beginObject();
                how.properties().forEach((name, value) -> json.field(name, value == null ? "" : value));
                json.endObject();
                if (how.body() != null) {
                    json.field("body", Base64.getEncoder().encodeToString(how.body()));
                }
                json.endObject();
            }
        }
        return json.endObject();
    }

    private void pauseUntil(long dueNanos) {
        long wait = dueNanos - cluster.runtime.clock().nanoTime();
        if (wait <= 0) {
            return;
        }
        try {
            cluster.runtime.timers().delay(wait).get();
        } catch (InterruptedException e) {
            throw ClientExceptions.interrupted(
                    "re-driving dead letters was interrupted between two of them",
                    false,
                    "do it again: what is settled stays settled",
                    e);
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }
}
