/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.platform.Clock;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.Message;
import io.waybill.remoting.Request;
import io.waybill.store.ConflictStore;
import io.waybill.store.TransactionStore;
import java.util.Arrays;
import java.util.Base64;

/** SHOW_TRANSACTION (30562): one transaction with its message, every check of it, and its decision if it has one. */
final class ShowTransaction implements RouteHandler<JsonObject> {
    /** Of a longer body only the beginning is shown. */
    private static final int MOST_BODY_BYTES = 64 << 10;

    private final TransactionStore transactionStore;
    private final ConflictStore conflictStore;
    private final TransactionLookup lookup;
    private final Clock clock;

    ShowTransaction(
            TransactionStore transactionStore, ConflictStore conflictStore, TransactionLookup lookup, Clock clock) {
        this.transactionStore = transactionStore;
        this.conflictStore = conflictStore;
        this.lookup = lookup;
        this.clock = clock;
    }

    @Override
    public Reply handle(Request request, JsonObject wanted) {
        String id = wanted.requireString("id");
        String topic = wanted.getString("topic");
        TransactionLookup.FoundTransaction found = lookup.find(id, topic);
        if (found == null) {
            return Reply.refused(ResponseCode.SYSTEM_ERROR, "no transaction " + id + " is known here");
        }
        boolean open = found.decision() == null;
        String sender = found.half() == null ? "" : found.half().sender();
        JsonWriter json = new JsonWriter().beginObject();
        json.field("state", open ? "OPEN" : DecisionText.state(found.decision().outcome()));
        json.name("transaction");
        if (found.stored() == null) { // of an old rollback only the decision is left
            json.beginObject().field("handle", found.handle()).endObject();
        } else {
            Message message = Message.decode(found.stored(), 0);
            TransactionJson.transaction(json, found.handle(), found.half(), message, clock.wallMillis());
            json.field("properties", message.properties());
            byte[] body = message.body();
            byte[] shown = body.length > MOST_BODY_BYTES ? Arrays.copyOf(body, MOST_BODY_BYTES) : body;
            if (shown.length > 0) {
                json.field("body", Base64.getEncoder().encodeToString(shown));
            }
        }
        TransactionJson.checks(json, transactionStore.checksOf(found.handle()), sender, found.decision());
        if (!open) {
            TransactionJson.decision(json, found.decision());
            TransactionJson.late(
                    json, conflictStore.conflictsOf(found.handle()), conflictStore.publicationOf(found.handle()));
        }
        return Reply.success(json.endObject().toByteArray());
    }
}
