/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.platform.Clock;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.Store;
import io.waybill.store.view.PendingHalf;
import java.nio.ByteBuffer;
import java.util.concurrent.Executor;

/** LIST_TRANSACTIONS (30561): open transactions, oldest first, of one producer group or topic if wanted. */
final class ListTransactions implements RequestHandler {
    private static final int MOST = 1_000;
    private static final int USUAL = 100;

    private final Store store;
    private final Clock clock;
    private final String brokerName;
    private final Executor blocking;

    ListTransactions(Store store, Clock clock, String brokerName, Executor blocking) {
        this.store = store;
        this.clock = clock;
        this.brokerName = brokerName;
        this.blocking = blocking;
    }

    @Override
    public void handle(Request request) {
        ByteBuffer body = request.command().body();
        JsonObject wanted = body.hasRemaining() ? Json.parse(body) : Json.parse("{}");
        String group = wanted.getString("group");
        String topic = wanted.getString("topic");
        int max = Math.max(1, Math.min(wanted.getInt("max", USUAL), MOST));
        blocking.execute(() -> {
            try {
                byte[] answer = list(group, topic, max);
                request.reply(Command.response(ResponseCode.SUCCESS, null)
                        .body(answer)
                        .build());
            } catch (RuntimeException e) {
                request.refuse(
                        ResponseCode.SYSTEM_ERROR, "the transactions could not be listed; the broker's log says why");
                throw e; // for the log
            }
        });
    }

    private byte[] list(String group, String topic, int max) {
        boolean all = group == null && topic == null;
        long nowMillis = clock.wallMillis();
        JsonWriter json = new JsonWriter().beginObject().field("brokerName", brokerName);
        json.field("open", store.openHalfCount()).name("transactions").beginArray();
        int listed = 0;
        for (PendingHalf half : store.openHalves(all ? max : TransactionLookup.MOST_SCANNED)) {
            if (listed == max) {
                break;
            }
            if (group != null && !group.equals(half.producerGroup())) {
                continue;
            }
            ByteBuffer stored = store.readPending(half.handle());
            if (stored == null || topic != null && !StoredMessage.topicEquals(stored, 0, topic)) {
                continue; // decided in the meantime, or another topic
            }
            TransactionJson.transaction(json, half.handle(), half, Message.decode(stored, 0), nowMillis);
            listed++;
        }
        return json.endArray().endObject().toByteArray();
    }
}
