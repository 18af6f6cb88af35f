/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RequestOrigin;
import io.waybill.broker.request.Routes;
import io.waybill.broker.settings.TimerSettings;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.RecallHeader;
import io.waybill.remoting.Request;
import io.waybill.store.TimerStore;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import java.util.function.Predicate;

/**
 * RECALL_MESSAGE (370): cancels a delayed message that is still asleep. The answer is the truth of the log: 0 means that the message will
 * never be delivered, 604 that it is too late or that there is no such message.
 *
 * <p>A producer that retried a send may have stored the message twice under one unique key; all of them are cancelled.
 */
public final class RecallMessage implements Feature {
    private final TimerCancellation cancellation;
    private final TimerSettings settings;
    private final String brokerName;
    private final RecallSigner signer;
    private final Predicate<String> topicExists;

    public RecallMessage(
            TimerStore store,
            TimerSettings settings,
            String brokerName,
            RecallSigner signer,
            Predicate<String> topicExists) {
        this.cancellation = new TimerCancellation(store);
        this.settings = settings;
        this.brokerName = brokerName;
        this.signer = signer;
        this.topicExists = topicExists;
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.RECALL_MESSAGE, Lane.RETURN, RecallHeader::read, this::recall);
    }

    private Reply recall(Request request, RecallHeader header) {
        if (!settings.recallEnabled()) {
            return Reply.refused(ResponseCode.NO_PERMISSION, "recall failed, operation is forbidden");
        }
        if (!topicExists.test(header.topic())) {
            return Reply.refused(ResponseCode.TOPIC_NOT_EXIST, "topic " + header.topic() + " does not exist");
        }
        RecallHandle handle;
        try {
            handle = RecallHandle.parse(header.recallHandle(), signer);
        } catch (IllegalArgumentException e) {
            return Reply.refused(ResponseCode.ILLEGAL_OPERATION, e.getMessage());
        }
        if (!handle.topic().equals(header.topic()) || !handle.brokerName().equals(brokerName)) {
            return Reply.refused(
                    ResponseCode.ILLEGAL_OPERATION,
                    "recallHandle belongs to topic " + handle.topic() + " on broker " + handle.brokerName()
                            + ", not to " + header.topic() + " on " + brokerName);
        }
        String group = header.producerGroup();
        if (group != null && !group.isEmpty() && Names.checkGroup(group) != null) {
            return Reply.refused(ResponseCode.INVALID_PARAMETER, "producer " + Names.checkGroup(group));
        }
        String by = "recall by " + (group == null || group.isEmpty() ? "nobody named" : group) + " at "
                + RequestOrigin.address(request);
        cancellation.cancel(
                handle.topic(), handle.uniqueKey(), by, (count, last) -> answer(request, handle, count, last));
        return Reply.LATER;
    }

    private static void answer(Request request, RecallHandle handle, int cancelled, Outcome last) {
        if (last != null && !(last instanceof Stored)) {
            request.refuse(Outcomes.code(last), Outcomes.text(last));
            return;
        }
        if (cancelled == 0) {
            request.refuse(
                    ResponseCode.ILLEGAL_OPERATION,
                    "no delayed message " + handle.uniqueKey() + " is pending in topic " + handle.topic()
                            + ": it was delivered or recalled before");
            return;
        }
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .field("msgId", handle.uniqueKey())
                .build());
    }
}
