/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.Decision;
import io.waybill.client.TransactionInspector;
import io.waybill.client.TransactionInspector.TransactionState;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.JsonValues;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Transactions, of all brokers together.
 *
 * <p>Each transaction is known to one broker (ADR 0005). Lists ask every broker and fail if one cannot be asked: a list
 * without its transactions would look complete. Calls of one transaction stop at the first broker that knows it.
 */
final class AdminTransactions implements TransactionInspector {
    private final AdminConnections cluster;

    AdminTransactions(AdminConnections cluster) {
        this.cluster = cluster;
    }

    @Override
    public List<TransactionState> list(Query query) {
        JsonWriter question = question(query).endObject();
        List<TransactionState> all = new ArrayList<>();
        cluster.living().forEach((broker, address) -> {
            JsonObject answer = cluster.json(
                    address, RequestCode.LIST_TRANSACTIONS, question, "asking " + broker + " for its transactions");
            for (JsonObject transaction : answer.getArray("transactions").objects("transactions")) {
                all.add(state(broker, transaction, TransactionState.Stage.OPEN, null));
            }
        });
        all.sort(Comparator.comparing(TransactionState::storedAt));
        return List.copyOf(all.subList(0, Math.min(query.max(), all.size())));
    }

    @Override
    public List<Conflict> conflicts(Query query) {
        JsonWriter question = question(query).field("conflicts", true).endObject();
        List<Conflict> all = new ArrayList<>();
        cluster.living().forEach((broker, address) -> {
            JsonObject answer = cluster.json(
                    address, RequestCode.LIST_TRANSACTIONS, question, "asking " + broker + " for late decisions");
            all.addAll(conflicts(broker, answer));
        });
        all.sort(Comparator.comparing(Conflict::lateAt));
        return List.copyOf(all.subList(Math.max(0, all.size() - query.max()), all.size()));
    }

    private static List<Conflict> conflicts(String broker, JsonObject answer) {
        List<Conflict> found = new ArrayList<>();
        if (answer.get("conflicts") != null) {
            for (JsonObject one : answer.getArray("conflicts").objects("conflicts")) {
                JsonObject published = one.getObject("published");
                found.add(new Conflict(
                        one.getString("transactionId"),
                        broker,
                        one.getString("topic"),
                        one.getString("producerGroup"),
                        stage(one.getString("decided")),
                        JsonValues.instant(one, "decidedTimestamp"),
                        one.getString("decidedBy"),
                        JsonValues.constant(Decision.class, one.getString("late"), Decision.UNKNOWN),
                        one.getBoolean("fromCheck", false),
                        JsonValues.instant(one, "timestamp"),
                        one.getString("by"),
                        published == null ? null : JsonValues.instant(published, "timestamp"),
                        published == null ? null : published.getString("by")));
            }
        }
        return found;
    }

    private static JsonWriter question(Query query) {
        ArgumentChecks.positive("max", query.max());
        JsonWriter question = new JsonWriter().beginObject().field("max", query.max());
        if (query.topic() != null) {
            question.field("topic", query.topic());
        }
        if (query.producerGroup() != null) {
            question.field("group", query.producerGroup());
        }
        if (query.minAge() != null) {
            question.field("minAgeMillis", query.minAge().toMillis());
        }
        if (query.maxAge() != null) {
            question.field("maxAgeMillis", query.maxAge().toMillis());
        }
        return question;
    }

    @Override
    public Optional<Details> find(String messageId) {
        ArgumentChecks.given("message id", messageId);
        for (Map.Entry<String, String> broker : cluster.living().entrySet()) {
            Optional<Details> found = show(broker.getKey(), broker.getValue(), messageId);
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }

    private Optional<Details> show(String broker, String address, String messageId) {
        return cluster.find(
                        address,
                        RequestCode.SHOW_TRANSACTION,
                        new JsonWriter().beginObject().field("id", messageId).endObject(),
                        "asking " + broker + " for transaction " + messageId)
                .map(answer -> details(broker, answer));
    }

    private static TransactionState.Stage stage(String word) {
        TransactionState.Stage stage = JsonValues.constant(TransactionState.Stage.class, word, null);
        if (stage == null) {
            throw JsonValues.unknownWord("transaction state", word);
        }
        return stage;
    }

    private static Details details(String broker, JsonObject answer) {
        JsonObject kept = answer.getObject("transaction"); // missing when nothing of the message is left
        JsonObject json = kept == null ? Json.parse("{}") : kept;
        String word = answer.getString("state");
        TransactionState.Stage stage = stage(word);
        List<Check> checks = new ArrayList<>();
        // With the transaction, or beside it when nothing of the message is left.
        JsonObject holder = json.get("checkHistory") != null ? json : answer;
        for (JsonObject one : holder.getArray("checkHistory").objects("checkHistory")) {
            checks.add(new Check(
                    Instant.ofEpochMilli(one.getLong("timestamp", 0)),
                    one.getInt("number", 0),
                    one.getString("client"),
                    one.getString("why"),
                    one.getString("answer")));
        }
        TransactionState state = state(broker, json, stage, answer.getObject("decision"));
        if (stage != TransactionState.Stage.OPEN) { // its counter is gone, its history is not
            int most = checks.stream().mapToInt(Check::number).max().orElse(0);
            state = new TransactionState(
                    state.messageId(),
                    state.broker(),
                    state.topic(),
                    state.producerGroup(),
                    state.keys(),
                    state.stage(),
                    state.storedAt(),
                    Math.max(state.checks(), most),
                    state.nextCheck(),
                    state.decidedAt(),
                    state.decidedBy());
        }
        JsonObject published = answer.getObject("published");
        return new Details(
                state,
                json.getString("sender"),
                List.copyOf(checks),
                JsonValues.texts(answer.getObject("properties")),
                conflicts(broker, answer),
                published == null ? null : JsonValues.instant(published, "timestamp"),
                published == null ? null : published.getString("by"));
    }

    @Override
    public TransactionState decide(String messageId, Decision outcome, String reason, String operator) {
        if (outcome != Decision.COMMIT && outcome != Decision.ROLLBACK) {
            throw ClientExceptions.invalid(
                    "a decision must be COMMIT or ROLLBACK, but is " + outcome, "choose one of the two");
        }
        return change(messageId, outcome.name(), reason, operator);
    }

    @Override
    public TransactionState resume(String messageId, String reason, String operator) {
        return change(messageId, "RESUME", reason, operator);
    }

    @Override
    public TransactionState publish(String messageId, String reason, String operator) {
        return change(messageId, "PUBLISH", reason, operator);
    }

    /** Finds the broker by a question that changes nothing, so that the decision is sent to one broker only. */
    private TransactionState change(String messageId, String decision, String reason, String operator) {
        ArgumentChecks.given("message id", messageId);
        ArgumentChecks.given("reason", reason);
        ArgumentChecks.given("operator", operator);
        for (Map.Entry<String, String> broker : cluster.living().entrySet()) {
            if (show(broker.getKey(), broker.getValue(), messageId).isEmpty()) {
                continue;
            }
            cluster.json(
                    broker.getValue(),
                    RequestCode.DECIDE_TRANSACTION,
                    new JsonWriter()
                            .beginObject()
                            .field("id", messageId)
                            .field("decision", decision)
                            .field("reason", reason)
                            .field("operator", operator) // the broker adds from where
                            .endObject(),
                    "deciding transaction " + messageId);
            return show(broker.getKey(), broker.getValue(), messageId)
                    .orElseThrow(() -> missing(messageId))
                    .state();
        }
        throw missing(messageId);
    }

    private static WaybillException missing(String messageId) {
        return ClientExceptions.refused(
                "deciding transaction " + messageId, ResponseCode.QUERY_NOT_FOUND, "no broker knows it", false);
    }

    private static TransactionState state(
            String broker, JsonObject json, TransactionState.Stage stage, JsonObject decision) {
        return new TransactionState(
                json.getString("transactionId"),
                broker,
                json.getString("topic"),
                json.getString("producerGroup"),
                JsonValues.words(json, "keys"),
                stage,
                JsonValues.instant(json, "storeTimestamp"),
                json.getInt("checks", 0),
                stage == TransactionState.Stage.OPEN ? JsonValues.instant(json, "nextCheckTimestamp") : null,
                decision == null ? null : Instant.ofEpochMilli(decision.getLong("timestamp", 0)),
                decision == null ? null : decision.getString("by"));
    }
}
