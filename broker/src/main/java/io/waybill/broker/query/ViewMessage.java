/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.query;

import io.waybill.broker.request.Outcomes;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.ViewMessageHeader;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.Store;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * VIEW_MESSAGE_BY_ID (33): the stored message at a log position, which is what an offset message id names. A message that is still asleep or
 * undecided can be viewed too: whoever sent it got its id.
 */
final class ViewMessage implements RequestHandler {
    private final Store store;
    private final Executor blocking;

    ViewMessage(Store store, Executor blocking) {
        this.store = store;
        this.blocking = blocking;
    }

    @Override
    public void handle(Request request) {
        ViewMessageHeader header = ViewMessageHeader.read(request.command().fields());
        blocking.execute(() -> answer(request, header.offset()));
    }

    private void answer(Request request, long position) {
        ByteBuffer message;
        try {
            message = store.readAt(position);
        } catch (RuntimeException e) {
            Outcomes.refuse(request, e, "the message could not be read; the broker's log says why");
            throw e; // for the log
        }
        if (message == null) {
            request.refuse(ResponseCode.SYSTEM_ERROR, "there is no message at log position " + position);
            return;
        }
        request.reply(Command.response(ResponseCode.SUCCESS, null).build(), List.of(message), () -> {});
    }
}
