/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RequestOrigin;
import io.waybill.broker.request.RouteHandler;
import io.waybill.platform.Clock;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.Message;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.MessageStore;
import io.waybill.store.TransactionStore;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionRecord;
import java.nio.ByteBuffer;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * DECIDE_TRANSACTION (30563): an operator commits or rolls back an open transaction by hand, has one asked about again that was given up, or has the
 * message of one delivered that was rolled back. Who, from where and why is kept in the record of it for as long as the log keeps that, or in the
 * properties of the resumed message.
 */
final class DecideTransaction implements RouteHandler<JsonObject> {
    private static final Logger LOG = LoggerFactory.getLogger(DecideTransaction.class);
    private static final int MAX_TEXT_LENGTH = 256;
    private static final Set<String> WORDS = Set.of("COMMIT", "ROLLBACK", "RESUME", "PUBLISH");

    private final MessageStore messageStore;
    private final TransactionStore transactionStore;
    private final TransactionLookup lookup;
    private final TransactionResolver decisions;
    private final ResumeCheck resumption;
    private final PublishTransaction publication;
    private final Clock clock;

    DecideTransaction(
            MessageStore messageStore,
            TransactionStore transactionStore,
            TransactionLookup lookup,
            TransactionResolver decisions,
            ResumeCheck resumption,
            PublishTransaction publication,
            Clock clock) {
        this.messageStore = messageStore;
        this.transactionStore = transactionStore;
        this.lookup = lookup;
        this.decisions = decisions;
        this.resumption = resumption;
        this.publication = publication;
        this.clock = clock;
    }

    @Override
    public Reply handle(Request request, JsonObject wanted) {
        String id = wanted.requireString("id");
        String word = wanted.requireString("decision");
        if (!WORDS.contains(word)) {
            throw new BadField("decision", "COMMIT, ROLLBACK, RESUME or PUBLISH", word);
        }
        String reason = shortText("reason", wanted.requireString("reason"));
        String operator = wanted.getString("operator");
        String by = "operator" + (operator == null ? "" : " " + shortText("operator", operator)) + " at "
                + RequestOrigin.address(request) + ": " + reason;
        switch (word) {
            case "RESUME" -> resume(request, id, by);
            case "PUBLISH" -> publication.publish(request, id, by);
            default -> decide(request, id, Decision.valueOf(word), by);
        }
        return Reply.LATER;
    }

    private static String shortText(String field, String text) {
        if (text.isBlank() || text.length() > MAX_TEXT_LENGTH) {
            throw new BadField(field, "1 to " + MAX_TEXT_LENGTH + " characters", text);
        }
        return text;
    }

    private void resume(Request request, String id, String by) {
        TransactionLookup.FoundTransaction found = lookup.find(id, null);
        if (found == null) {
            request.refuse(ResponseCode.SYSTEM_ERROR, "no transaction " + id + " is known here");
        } else if (found.decision() == null) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, "transaction " + id + " is open already");
        } else if (found.decision().outcome() != Decision.EXHAUSTED) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, DecisionText.sentence(found.decision()));
        } else {
            resumption.resume(request, found.stored(), by, handle -> {
                JsonWriter json = new JsonWriter().beginObject().field("state", "OPEN");
                ByteBuffer half = messageStore.readPending(handle);
                if (half != null) { // not decided meanwhile
                    json.name("transaction");
                    Message message = Message.decode(half, 0);
                    TransactionJson.transaction(
                            json, handle, transactionStore.openHalf(handle), message, clock.wallMillis());
                }
                return json.endObject().toByteArray();
            });
        }
    }

    private void decide(Request request, String id, Decision decision, String by) {
        TransactionLookup.FoundTransaction found = lookup.find(id, null);
        if (found == null) {
            request.refuse(ResponseCode.SYSTEM_ERROR, "no open transaction " + id + " is known here");
            return;
        }
        if (found.decision() != null) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, DecisionText.sentence(found.decision()));
            return;
        }
        if (found.stored() == null) {
            request.refuse(ResponseCode.SYSTEM_ERROR, "the message of transaction " + id + " cannot be read");
            return;
        }
        AdminLog.before(request, "OPEN");
        Completion done = outcome -> answer(request, found, outcome);
        if (decision == Decision.COMMIT) {
            decisions.commit(found.half(), found.stored(), false, by, done);
        } else {
            decisions.rollback(found.half(), found.stored(), false, by, done);
        }
    }

    private void answer(Request request, TransactionLookup.FoundTransaction found, Outcome outcome) {
        DecisionRecord decision = transactionStore.decisionOf(found.handle());
        if (outcome instanceof Refused && decision != null) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, DecisionText.sentence(decision));
            return;
        }
        if (!(outcome instanceof Stored)) {
            request.refuse(Outcomes.code(outcome), Outcomes.text(outcome));
            return;
        }
        LOG.info("transaction {}: {}", found.handle(), DecisionText.sentence(decision));
        JsonWriter json = new JsonWriter().beginObject().field("state", DecisionText.state(decision.outcome()));
        json.name("transaction");
        Message message = Message.decode(found.stored(), 0);
        TransactionJson.transaction(json, found.handle(), null, message, clock.wallMillis());
        TransactionJson.decision(json, decision);
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(json.endObject().toByteArray())
                .build());
    }
}
