/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.query;

import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.ViewMessageHeader;
import io.waybill.remoting.Request;
import io.waybill.store.MessageStore;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * VIEW_MESSAGE_BY_ID (33): the stored message at a log position, which is what an offset message id names. A message that is still asleep or
 * undecided can be viewed too: whoever sent it got its id.
 */
final class ViewMessage implements RouteHandler<ViewMessageHeader> {
    private final MessageStore store;

    ViewMessage(MessageStore store) {
        this.store = store;
    }

    @Override
    public Reply handle(Request request, ViewMessageHeader header) {
        ByteBuffer message = store.readAt(header.offset());
        if (message == null) {
            return Reply.refused(ResponseCode.SYSTEM_ERROR, "there is no message at log position " + header.offset());
        }
        return Reply.of(Command.response(ResponseCode.SUCCESS, null).build(), List.of(message), () -> {});
    }
}
