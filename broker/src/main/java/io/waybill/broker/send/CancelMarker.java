/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.request.Asker;
import io.waybill.broker.request.Continuation;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.remoting.Request;
import io.waybill.store.Store;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * A send with TIMER_DEL_UNIQKEY: the marker by which clients of RocketMQ take back the delayed message of that unique key in the same topic, written as
 * the key alone or as topic, plus sign and key. The marker itself is never stored and never delivered. What RocketMQ finds out when both are due is done
 * at once here, whatever time the marker names, and the answer is true: 0 means that the message will never be delivered.
 */
final class CancelMarker {
    private final Store store;
    private final DelayedMessageWriter delays;
    private final SendReplies replies;
    private final Executor blocking;

    /** @param blocking for looking at messages that may have to come from the disk */
    CancelMarker(Store store, DelayedMessageWriter delays, SendReplies replies, Executor blocking) {
        this.store = store;
        this.delays = delays;
        this.replies = replies;
        this.blocking = blocking;
    }

    /**
     * Cancels and answers.
     *
     * @param cancelled the value of the property
     */
    void take(Request request, SendMessageHeader header, String cancelled) {
        if (!delays.isRecallEnabled()) {
            request.refuse(ResponseCode.NO_PERMISSION, "property TIMER_DEL_UNIQKEY: taking messages back is forbidden");
            return;
        }
        String topic = header.topic();
        String key = cancelled.startsWith(topic + "+") ? cancelled.substring(topic.length() + 1) : cancelled;
        String by = "cancel marker of " + header.producerGroup() + " at " + Asker.address(request);
        Continuation.run(
                blocking,
                request,
                () -> cancel(request, topic, key, by, store.pendingByUniqueKey(topic, key), 0, null));
    }

    private void cancel(
            Request request, String topic, String key, String by, List<Long> pending, int next, Stored done) {
        if (next < pending.size()) {
            store.cancel(pending.get(next), by, outcome -> {
                if (outcome instanceof Stored || outcome instanceof Refused) {
                    cancel(request, topic, key, by, pending, next + 1, outcome instanceof Stored s ? s : done);
                } else {
                    refuse(request, outcome);
                }
            });
        } else if (done == null) {
            request.refuse(
                    ResponseCode.ILLEGAL_OPERATION,
                    "property TIMER_DEL_UNIQKEY: no delayed message " + key + " is pending in topic '" + topic
                            + "': it was delivered or cancelled before, or never was");
        } else {
            replies.single(request, done, 0, key, null);
        }
    }

    private static void refuse(Request request, Outcome outcome) {
        request.refuse(Outcomes.code(outcome), Outcomes.text(outcome));
    }
}
