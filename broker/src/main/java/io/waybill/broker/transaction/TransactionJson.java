/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PublishRecord;
import java.net.InetSocketAddress;
import java.util.List;

/** Transactions as the tools of an operator read them. Members without a value are left out. */
final class TransactionJson {
    private TransactionJson() {}

    /** One object; {@code half} is null for a decided transaction. */
    static void transaction(JsonWriter json, long handle, PendingHalf half, Message message, long nowMillis) {
        String realTopic = message.property(MessageProperties.REAL_TOPIC);
        json.beginObject()
                .field("handle", handle)
                .field("offsetMsgId", MessageIds.offsetId(message.storeHost(), handle));
        json.field("transactionId", message.uniqueKey());
        json.field("topic", realTopic == null ? message.topic() : realTopic).field("queueId", message.queueId());
        json.field("producerGroup", message.property(MessageProperties.PGROUP));
        json.field("bornHost", addressOf(message.bornHost()));
        json.field("bornTimestamp", message.bornTimestamp()).field("storeTimestamp", message.storeTimestamp());
        json.field("ageMillis", Math.max(0, nowMillis - message.storeTimestamp()));
        if (half != null) {
            if (!half.sender().isEmpty()) {
                json.field("sender", half.sender());
            }
            json.field("checks", half.checks()).field("nextCheckTimestamp", half.nextCheckMillis());
        }
        json.field("tags", message.tags());
        json.field("keys", message.keys());
        if (message.body().length > 0) { // of what was rolled back no body is kept
            json.field("bodySize", message.body().length);
        }
        json.endObject();
    }

    private static String addressOf(InetSocketAddress host) {
        return host.getAddress().getHostAddress() + ":" + host.getPort();
    }

    /**
     * The member {@code checkHistory}, oldest first, each with the reason why this client. The answer that decided is not recorded apart from the decision: it is told of the client that
     * gave it.
     */
    static void checks(JsonWriter json, List<CheckEvent> checks, String sender, DecisionRecord decision) {
        CheckEvent decisive = decision == null ? null : decisive(checks, decision);
        json.name("checkHistory").beginArray();
        for (CheckEvent check : checks) {
            json.beginObject().field("timestamp", check.atMillis());
            if (check.number() > 0) {
                json.field("number", check.number());
            }
            json.field("client", check.client());
            String why = why(check.reason(), sender);
            if (why != null) {
                json.field("why", why);
            }
            if (check == decisive) {
                json.field("answer", DecisionText.state(decision.outcome()))
                        .field("answeredMillis", decision.atMillis());
            } else if (check.answerOrNull() != null) {
                json.field("answer", check.answerOrNull()).field("answeredMillis", check.answeredMillis());
            }
            json.endObject();
        }
        json.endArray();
    }

    /** Why this client was asked; null if that is not recorded. */
    private static String why(CheckReason reason, String sender) {
        return switch (reason) {
            case SENDER -> "the sender of the half message";
            case SENDER_AWAY ->
                "another one: the sender" + (sender.isEmpty() ? "" : ", " + sender + ",") + " is not connected";
            case SENDER_UNKNOWN -> "any one: the sender is not known";
            case NONE, WAITING -> null;
        };
    }

    /** The latest check without an answer, of the client that decided if it was asked. */
    private static CheckEvent decisive(List<CheckEvent> checks, DecisionRecord decision) {
        boolean byProducer = decision.fromCheck() && decision.outcome() != Decision.EXHAUSTED;
        CheckEvent latest = null;
        for (CheckEvent check : checks) {
            if (byProducer && check.answerOrNull() == null && check.number() > 0) {
                boolean better = latest == null
                        || decision.by().endsWith(check.client())
                        || !decision.by().endsWith(latest.client());
                latest = better ? check : latest;
            }
        }
        return latest;
    }

    /** The members {@code conflicts}, unless there are none, and {@code published}. */
    static void late(JsonWriter json, List<DecisionConflict> conflicts, PublishRecord published) {
        if (!conflicts.isEmpty()) {
            json.name("conflicts").beginArray();
            conflicts.forEach(conflict -> conflict(json, conflict, null));
            json.endArray();
        }
        if (published != null) {
            json.name("published").beginObject();
            json.field("timestamp", published.atMillis())
                    .field("by", published.by())
                    .endObject();
        }
    }

    /** A decision that came too late; with {@code published} if the message was delivered after all. */
    static void conflict(JsonWriter json, DecisionConflict conflict, PublishRecord published) {
        json.beginObject().field("handle", conflict.handle());
        json.field("transactionId", conflict.messageId());
        json.field("topic", conflict.topic());
        json.field("producerGroup", conflict.producerGroup());
        json.field("decided", DecisionText.state(conflict.decided()));
        json.field("decidedTimestamp", conflict.decidedMillis());
        json.field("decidedBy", conflict.decidedBy());
        json.field("late", conflict.late().name());
        json.field("fromCheck", conflict.fromCheck());
        json.field("timestamp", conflict.atMillis());
        json.field("by", conflict.by());
        late(json, List.of(), published);
        json.endObject();
    }

    /** The member {@code decision}. */
    static void decision(JsonWriter json, DecisionRecord decision) {
        json.name("decision").beginObject();
        json.field("outcome", DecisionText.state(decision.outcome()));
        json.field("fromCheck", decision.fromCheck());
        json.field("timestamp", decision.atMillis());
        json.field("by", decision.by());
        json.endObject();
    }
}
