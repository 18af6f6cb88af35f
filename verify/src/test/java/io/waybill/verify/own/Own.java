/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Message;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillClient;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.awaitility.Awaitility;

/** Own clients against one name server; everything is closed by close, the last first. */
final class Own implements AutoCloseable {
    static final Duration LIMIT = Duration.ofSeconds(60);
    private static final AtomicInteger NAMES = new AtomicInteger();

    private final String namesrv;
    private final List<WaybillClient> clients = new ArrayList<>();

    Own(String namesrv) {
        this.namesrv = namesrv;
    }

    /** A client of its own: a process of a service, as the broker sees it. */
    WaybillClient client() {
        WaybillClient client = WaybillClient.connect(namesrv);
        clients.add(client);
        return client;
    }

    static String unique(String stem) {
        return stem + "-" + NAMES.incrementAndGet();
    }

    static Message message(String topic, String tag, String key, String body) {
        return Message.to(topic).tag(tag).key(key).body(body).build();
    }

    static void await(String what, BooleanSupplier condition) {
        Awaitility.await(what).atMost(LIMIT).pollInterval(Duration.ofMillis(20)).until(condition::getAsBoolean);
    }

    /** A new member of a group that keeps all it gets, from the first message on. */
    Inbox consume(String group, String topic, String tags) {
        Inbox inbox = new Inbox();
        client().pushConsumer(group)
                .subscribe(topic, tags)
                .from(StartFrom.FIRST)
                .onMessage(inbox::add)
                .start();
        return inbox;
    }

    @Override
    public void close() {
        for (int i = clients.size() - 1; i >= 0; i--) {
            clients.get(i).close();
        }
    }

    /** What a consumer got, in the order of arrival. */
    static final class Inbox {
        private final ConcurrentLinkedQueue<ReceivedMessage> messages = new ConcurrentLinkedQueue<>();

        ConsumeResult add(ReceivedMessage message) {
            messages.add(message);
            return ConsumeResult.SUCCESS;
        }

        List<ReceivedMessage> messages() {
            return List.copyOf(messages);
        }

        List<String> texts() {
            return messages.stream().map(ReceivedMessage::text).toList();
        }

        void awaitCount(int count) {
            Own.await(count + " messages", () -> messages.size() >= count);
        }
    }
}
