/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.message.Message;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** The pull: typed request to frame, frame to typed answer. Keeps no state. */
public final class PullApi {
    private static final int COMMIT_OFFSET = 0x1;
    private static final int SUSPEND = 0x2;
    private static final int SUBSCRIPTION = 0x4;
    private static final int PULL_BYTES = 256 << 10;

    /** A pull's call may last this much longer than the broker holds it. */
    private static final long HOLD_GRACE_MILLIS = 10_000;

    private final BrokerConnections connections;

    public PullApi(BrokerConnections connections) {
        this.connections = connections;
    }

    /** Fails with a {@link BrokerRefusal} or a {@code RemotingException}; completes on an I/O thread. */
    public CompletableFuture<PullResult> pull(String address, PullRequest pull) {
        Command request = WireQueues.request(RequestCode.PULL_MESSAGE, pull.queue())
                .field("consumerGroup", pull.group())
                .field("queueOffset", pull.offset())
                .field("maxMsgNums", pull.maxMessages())
                .field(
                        "sysFlag",
                        SUBSCRIPTION
                                | (pull.holdMillis() > 0 ? SUSPEND : 0)
                                | (pull.commitOffset() >= 0 ? COMMIT_OFFSET : 0)
                                | (pull.isReplay() ? PullHeader.FLAG_REPLAY : 0))
                .field("commitOffset", Math.max(0, pull.commitOffset()))
                .field("suspendTimeoutMillis", pull.holdMillis())
                .field("subscription", pull.filter().expression())
                .field("subVersion", pull.subscriptionVersion())
                .field("expressionType", pull.filter().type())
                .field("maxMsgBytes", PULL_BYTES)
                .build();
        long timeoutMillis =
                pull.holdMillis() > 0 ? pull.holdMillis() + HOLD_GRACE_MILLIS : connections.callTimeoutMillis();
        return connections.call(address, request, timeoutMillis).thenApply(PullApi::result);
    }

    private static PullResult result(Command reply) {
        return switch (reply.code()) {
            case ResponseCode.SUCCESS,
                    ResponseCode.PULL_NOT_FOUND,
                    ResponseCode.PULL_RETRY_IMMEDIATELY,
                    ResponseCode.PULL_OFFSET_MOVED ->
                new PullResult(
                        reply.code(),
                        reply.fields().requireLong("nextBeginOffset"),
                        reply.fields().getLong("minOffset", 0),
                        reply.fields().getLong("maxOffset", 0),
                        reply.fields().getLong("suggestWhichBrokerId", 0),
                        reply.code() == ResponseCode.SUCCESS ? Message.decodeAll(reply.body()) : List.of());
            default -> throw new BrokerRefusal(reply.code(), reply.remark());
        };
    }
}
