/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.longpoll.Deliveries;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.NotificationReply;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.header.PopReply;
import java.nio.ByteBuffer;

/** What pops, peeks and notifications are answered; without state of its own. */
final class PopReplies {
    private static final Runnable NOTHING_HELD = () -> {};

    private final Deliveries deliveries;

    PopReplies(Deliveries deliveries) {
        this.deliveries = deliveries;
    }

    /** With what was found: something. */
    void found(Pop pop) {
        if (pop.parameters().mode() == PopMode.NOTIFY) {
            send(pop, ResponseCode.SUCCESS, null);
            return;
        }
        int bytes = 0;
        for (ByteBuffer slice : pop.slices()) {
            bytes += slice.remaining();
        }
        deliveries.sent(pop.group(), pop.topic(), pop.count(), bytes);
        pop.request().reply(head(pop, ResponseCode.SUCCESS, "FOUND"), pop.slices(), NOTHING_HELD);
    }

    /** Nothing was found in time. */
    void empty(Pop pop) {
        if (pop.isDamaged()) {
            pop.request().refuse(ResponseCode.SYSTEM_ERROR, "the next message is damaged; the broker's log says where");
            return;
        }
        switch (pop.parameters().mode()) {
            case LEASE -> send(pop, ResponseCode.POLLING_TIMEOUT, "NO_MESSAGE_IN_QUEUE");
            case PEEK -> send(pop, ResponseCode.PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE");
            case NOTIFY -> send(pop, ResponseCode.SUCCESS, null);
        }
    }

    /** Too many wait already. */
    void tooManyHeld(Pop pop) {
        send(pop, ResponseCode.POLLING_FULL, "too many pops are waiting for messages (maxHeldPulls)");
    }

    private static void send(Pop pop, int code, String remark) {
        if (pop.parameters().mode() == PopMode.NOTIFY) {
            boolean isFull = code == ResponseCode.POLLING_FULL;
            pop.request()
                    .reply(Command.response(ResponseCode.SUCCESS, remark)
                            .header(new NotificationReply(pop.count() > 0, isFull))
                            .build());
        } else {
            pop.request().reply(head(pop, code, remark));
        }
    }

    private static Command head(Pop pop, int code, String remark) {
        return Command.response(code, remark)
                .header(new PopReply(
                        pop.popMillis(),
                        pop.parameters().invisibleMillis(),
                        pop.parameters().order() ? PopHandle.ORDERED : 0,
                        pop.rest(),
                        pop.starts(),
                        pop.offsets(),
                        pop.orderCounts()))
                .build();
    }
}
