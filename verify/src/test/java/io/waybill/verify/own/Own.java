/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Message;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillClient;
import io.waybill.verify.embedded.TestBroker;
import io.waybill.verify.embedded.TestClients;
import io.waybill.verify.embedded.TestInbox;
import java.util.ArrayList;
import java.util.List;

/** Own clients against one name server; everything is closed by close, the last first. */
final class Own extends TestClients {
    private final List<WaybillClient> clients = new ArrayList<>();

    Own(String namesrv) {
        super(namesrv);
    }

    Own(TestBroker broker) {
        super(broker);
    }

    /** A client of its own: a process of a service, as the broker sees it. */
    WaybillClient client() {
        WaybillClient client = WaybillClient.connect(namesrv());
        clients.add(client);
        return client;
    }

    static Message message(String topic, String tag, String key, String body) {
        return Message.to(topic).tag(tag).key(key).body(body).build();
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

    static final class Inbox extends TestInbox<ReceivedMessage> {
        ConsumeResult add(ReceivedMessage message) {
            keep(message);
            return ConsumeResult.SUCCESS;
        }

        List<String> texts() {
            return messages().stream().map(ReceivedMessage::text).toList();
        }
    }
}
