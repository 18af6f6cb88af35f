/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedDeliveries;
import io.waybill.client.DelayedMessages;
import io.waybill.client.SendReceipt;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.PendingCalls;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Set;

/**
 * What a producer does with its delayed messages after it has sent them. Each call counts as one of the producer's, which waits for it when it is
 * closed.
 */
final class ProducerDelayed implements DelayedDeliveries {
    /** The broker's answer to a recall that came too late; 22 is that to a message it does not have. */
    private static final int ILLEGAL_OPERATION = 604;

    private final String group;
    private final SendContext context;
    private final DelayedMessageApi api;
    private final PendingCalls pending;

    ProducerDelayed(String group, SendContext context, DelayedMessageApi api, PendingCalls pending) {
        this.group = group;
        this.context = context;
        this.api = api;
        this.pending = pending;
    }

    @Override
    public boolean recall(SendReceipt receipt) {
        if (receipt.recallHandle() == null) {
            throw ClientExceptions.invalid(
                    "message " + receipt.messageId() + " has no recall handle",
                    "recall only messages sent with a delay");
        }
        return recall(receipt.queue().topic(), receipt.recallHandle());
    }

    @Override
    public boolean recall(String topic, String recallHandle) {
        ArgumentChecks.topic(topic);
        String broker = brokerOf(recallHandle);
        pending.begin();
        try {
            String doing = "recalling a message of topic " + topic;
            ClientExceptions.await(context.routes().find(topic), "finding topic " + topic, false);
            String address = context.routes().master(broker);
            if (address == null) {
                throw ClientExceptions.invalid(
                        "the recall handle names broker " + broker + ", which does not keep topic " + topic,
                        "give the topic and the handle of one message");
            }
            try {
                context.api()
                        .recall(address, group, topic, broker, recallHandle)
                        .get();
                return true;
            } catch (InterruptedException e) {
                throw ClientExceptions.interrupted(
                        doing + " was interrupted; it may have been recalled", false, "recall it again", e);
            } catch (java.util.concurrent.ExecutionException e) {
                if (ClientExceptions.unwrap(e) instanceof BrokerRefusal refusal
                        && (refusal.code() == ILLEGAL_OPERATION || refusal.code() == 22)) {
                    return false;
                }
                throw ClientExceptions.explained(e, doing);
            }
        } finally {
            pending.end();
        }
    }

    /** The broker a handle names: its text is {@code v1 topic broker time id} in base64. */
    static String brokerOf(String recallHandle) {
        try {
            String text = new String(Base64.getUrlDecoder().decode(recallHandle), StandardCharsets.UTF_8);
            String[] parts = text.split(" ");
            if (parts.length == 5 && parts[0].equals("v1")) {
                return parts[2];
            }
        } catch (IllegalArgumentException e) {
            // said below
        }
        throw ClientExceptions.invalid(
                "the recall handle cannot be read", "give the handle of a send receipt unchanged");
    }

    @Override
    public DelayedChange cancel(SendReceipt receipt) {
        return change(which(receipt), receipt.queue().broker(), null);
    }

    @Override
    public DelayedChange cancel(String topic, String key) {
        return change(DelayedMessages.Selector.key(topic, key), null, null);
    }

    @Override
    public DelayedChange reschedule(SendReceipt receipt, Instant deliverAt) {
        return change(which(receipt), receipt.queue().broker(), ArgumentChecks.given("time", deliverAt));
    }

    @Override
    public DelayedChange reschedule(String topic, String key, Instant deliverAt) {
        return change(DelayedMessages.Selector.key(topic, key), null, ArgumentChecks.given("time", deliverAt));
    }

    private static DelayedMessages.Selector which(SendReceipt receipt) {
        if (receipt.recallHandle() == null) {
            throw ClientExceptions.invalid(
                    "message " + receipt.messageId() + " has no recall handle",
                    "cancel or move only messages sent with a delay");
        }
        return DelayedMessages.Selector.message(receipt.queue().topic(), receipt.messageId());
    }

    /** @param broker the broker that keeps it, or null to ask all of the topic */
    private DelayedChange change(DelayedMessages.Selector which, String broker, Instant deliverAt) {
        ArgumentChecks.topic(which.topic());
        ArgumentChecks.given("key", which.name());
        pending.begin();
        try {
            Route route = ClientExceptions.await(
                    context.routes().find(which.topic()), "finding topic " + which.topic(), false);
            List<DelayedChange> answers = new ArrayList<>();
            for (String name : broker == null ? route.brokers().keySet() : Set.of(broker)) {
                String address = context.routes().master(name);
                if (address == null) {
                    throw ClientExceptions.refused("finding broker " + name, 17, "its address is not known", false);
                }
                answers.add(ClientExceptions.await(
                        api.change(address, name, which, deliverAt, "producer group " + group),
                        "changing the delayed message of " + which.topic() + " named " + which.name(),
                        false));
            }
            return DelayedMessageApi.best(answers);
        } finally {
            pending.end();
        }
    }
}
