/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.transaction;

import io.waybill.client.Decision;
import io.waybill.client.TransactionConflictException;
import io.waybill.client.TransactionInspector.TransactionState.Stage;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.connection.JsonValues;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;

/** The end of a transaction as a request. Keeps no state. */
final class TransactionApi {
    private static final int ILLEGAL_OPERATION = 604;

    private final BrokerConnections connections;

    TransactionApi(BrokerConnections connections) {
        this.connections = connections;
    }

    /** Fails with a {@link TransactionConflictException} if it was decided otherwise before. */
    CompletableFuture<Void> end(String address, String group, HalfId half, Decision decision, String remark) {
        Command request = request(group, half, decision, false, remark).build();
        return connections.call(address, request).thenAccept(reply -> {
            String decided = reply.fields().get("decided");
            if (reply.code() == ILLEGAL_OPERATION && decided != null) {
                throw new TransactionConflictException(
                        half.messageId(),
                        decision,
                        JsonValues.constant(Stage.class, decided, Stage.OPEN),
                        Instant.ofEpochMilli(reply.fields().getLong("decidedTimestamp", 0)),
                        reply.fields().get("decidedBy"));
            }
            BrokerConnections.successful(reply);
        });
    }

    void oneway(String address, Command end) {
        connections.oneway(address, end);
    }

    /** The decision as a one-way request. */
    static Command oneway(String group, HalfId half, Decision decision, boolean fromCheck, String remark) {
        return request(group, half, decision, fromCheck, remark).oneway().build();
    }

    private static Command.Builder request(
            String group, HalfId half, Decision decision, boolean fromCheck, String remark) {
        int outcome = switch (decision) {
            case COMMIT -> 8;
            case ROLLBACK -> 12;
            case UNKNOWN -> 0;
        };
        Command.Builder request = Command.request(RequestCode.END_TRANSACTION)
                .field("topic", half.topic())
                .field("producerGroup", group)
                .field("tranStateTableOffset", half.queueOffset())
                .field("commitLogOffset", half.position())
                .field("commitOrRollback", outcome)
                .field("fromTransactionCheck", fromCheck)
                .field("msgId", half.messageId())
                .field("transactionId", half.transactionId())
                .field("bname", half.broker());
        return remark == null ? request : request.remark(remark);
    }
}
