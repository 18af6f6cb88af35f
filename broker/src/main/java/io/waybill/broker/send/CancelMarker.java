/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RequestOrigin;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.remoting.Request;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;

/**
 * A send with TIMER_DEL_UNIQKEY: the marker by which clients of RocketMQ take back the delayed message of that unique key in the same topic, written as
 * the key alone or as topic, plus sign and key. The marker itself is never stored and never delivered. What RocketMQ finds out when both are due is done
 * at once here, whatever time the marker names, and the answer is true: 0 means that the message will never be delivered.
 */
final class CancelMarker {
    private final DelayedMessageWriter delays;
    private final SendReplies replies;
    private final Lanes lanes;

    CancelMarker(DelayedMessageWriter delays, SendReplies replies, Lanes lanes) {
        this.delays = delays;
        this.replies = replies;
        this.lanes = lanes;
    }

    /** Cancels and answers. */
    void take(Request request, Placement.Cancellation cancellation) {
        if (!delays.isRecallEnabled()) {
            request.refuse(ResponseCode.NO_PERMISSION, "property TIMER_DEL_UNIQKEY: taking messages back is forbidden");
            return;
        }
        SendMessageHeader header = cancellation.header();
        String topic = header.topic();
        String cancelled = cancellation.key();
        String key = cancelled.startsWith(topic + "+") ? cancelled.substring(topic.length() + 1) : cancelled;
        String by = "cancel marker of " + header.producerGroup() + " at " + RequestOrigin.address(request);
        lanes.run(Lane.BLOCKING, request, () -> {
            delays.cancellation().cancel(topic, key, by, (count, last) -> answer(request, topic, key, count, last));
            return Reply.LATER;
        });
    }

    private void answer(Request request, String topic, String key, int count, Outcome last) {
        if (last != null && !(last instanceof Stored)) {
            request.refuse(Outcomes.code(last), Outcomes.text(last));
        } else if (count == 0) {
            request.refuse(
                    ResponseCode.ILLEGAL_OPERATION,
                    "property TIMER_DEL_UNIQKEY: no delayed message " + key + " is pending in topic '" + topic
                            + "': it was delivered or cancelled before, or never was");
        } else {
            replies.single(request, last, 0, key, null);
        }
    }
}
