/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.query;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.QueryMessageHeader;
import io.waybill.protocol.header.QueryMessageReply;
import io.waybill.protocol.header.ViewMessageHeader;
import io.waybill.protocol.message.Message;
import io.waybill.store.log.Stored;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Looking for single messages. */
class QueryTest {
    private SimulatedBroker broker;

    @BeforeEach
    void start() {
        broker = new SimulatedBroker();
        broker.topic("orders", 4);
    }

    @AfterEach
    void stop() {
        broker.close();
    }

    private Command query(String key, int max, long from, long to, String type, boolean unique) {
        return broker.request(
                broker.connect(),
                Command.request(RequestCode.QUERY_MESSAGE)
                        .header(new QueryMessageHeader("orders", key, max, from, to, type, unique))
                        .build());
    }

    private static List<String> keys(Command reply) {
        assertThat(reply.code()).as(reply.remark()).isZero();
        return Message.decodeAll(reply.body()).stream().map(Message::uniqueKey).toList();
    }

    /** 64 large messages of one key would not fit the heap: the answer is bounded before more is read. */
    @Test
    void anAnswerIsBoundedInBytesAndSoIsWhatIsKeptForIt() {
        byte[] body = new byte[900_000];
        for (int i = 0; i < 20; i++) {
            broker.put(
                    "orders",
                    0,
                    new String(body, java.nio.charset.StandardCharsets.US_ASCII),
                    SimulatedBroker.properties("large" + i, "KEYS", "big"));
        }
        assertThat(keys(query("big", 64, 0, Long.MAX_VALUE, "K", false)))
                .containsExactly("large19", "large18", "large17", "large16");
        assertThat(broker.store.messages().findByKey("orders", "big", 64, 0, Long.MAX_VALUE))
                .hasSize(9);
        assertThat(broker.store.messages().findByKey("orders", "big", 64, 1, 0, Long.MAX_VALUE, message -> true))
                .as("one always fits")
                .hasSize(1);
    }

    @Test
    void aKeyFindsItsMessagesNewestFirstWithinTimeAndLimit() {
        long start = broker.now();
        for (int i = 0; i < 10; i++) {
            broker.put("orders", i % 4, "m" + i, SimulatedBroker.properties("u" + i, "KEYS", "order-1 c" + (i % 2)));
            broker.pass(1_000);
        }
        Command reply = query("order-1", 64, 0, Long.MAX_VALUE, "K", false);
        assertThat(keys(reply)).containsExactly("u9", "u8", "u7", "u6", "u5", "u4", "u3", "u2", "u1", "u0");
        QueryMessageReply header = QueryMessageReply.read(reply.fields());
        assertThat(header.indexLastUpdateTimestamp()).isEqualTo(start + 9_000);
        assertThat(keys(query("c1", 64, 0, Long.MAX_VALUE, "K", false))).containsExactly("u9", "u7", "u5", "u3", "u1");
        assertThat(keys(query("order-1", 3, 0, Long.MAX_VALUE, "K", false))).containsExactly("u9", "u8", "u7");
        assertThat(keys(query("order-1", 64, start + 2_000, start + 4_000, "K", false)))
                .containsExactly("u4", "u3", "u2");
        assertThat(query("order-1", 64, 0, start - 1, "K", false).code()).isEqualTo(ResponseCode.QUERY_NOT_FOUND);
        assertThat(query("order", 64, 0, Long.MAX_VALUE, "K", false).code()).isEqualTo(ResponseCode.QUERY_NOT_FOUND);
    }

    @Test
    void uniqueKeysAndKeysAreToldApart() {
        broker.put("orders", 0, "m1", SimulatedBroker.properties("same", "KEYS", "other"));
        broker.put("orders", 0, "m2", SimulatedBroker.properties("u2", "KEYS", "same"));
        assertThat(keys(query("same", 64, 0, Long.MAX_VALUE, "U", true))).containsExactly("same");
        assertThat(keys(query("same", 64, 0, Long.MAX_VALUE, "K", false))).containsExactly("u2");
        assertThat(keys(query("u2", 0, 0, Long.MAX_VALUE, null, true))).containsExactly("u2");
    }

    @Test
    void keysWithTheSameHashDoNotMeet() {
        assertThat("orders#Aa".hashCode()).isEqualTo("orders#BB".hashCode());
        broker.put("orders", 0, "m1", SimulatedBroker.properties("u1", "KEYS", "Aa"));
        broker.put("orders", 0, "m2", SimulatedBroker.properties("u2", "KEYS", "BB"));
        assertThat(keys(query("Aa", 64, 0, Long.MAX_VALUE, "K", false))).containsExactly("u1");
        assertThat(keys(query("BB", 64, 0, Long.MAX_VALUE, "K", false))).containsExactly("u2");
        assertThat(query("AaBB", 64, 0, Long.MAX_VALUE, "K", false).code()).isEqualTo(ResponseCode.QUERY_NOT_FOUND);
    }

    @Test
    void halvesAndSleepingMessagesAreNotFoundByKey() {
        broker.half("g", "orders", 0, SimulatedBroker.properties("h1", "KEYS", "k"));
        broker.delayed("orders", 0, "later", SimulatedBroker.properties("d1", "KEYS", "k", "DELAY", "1"));
        assertThat(query("k", 64, 0, Long.MAX_VALUE, "K", false).code()).isEqualTo(ResponseCode.QUERY_NOT_FOUND);
        broker.pass(1_000);
        assertThat(keys(query("k", 64, 0, Long.MAX_VALUE, "K", false))).containsExactly("d1");
    }

    @Test
    void aMessageIsViewedByThePositionInItsId() {
        Stored stored = broker.put("orders", 1, "m1", SimulatedBroker.properties("u1"));
        Command reply = broker.request(
                broker.connect(),
                Command.request(RequestCode.VIEW_MESSAGE_BY_ID)
                        .header(new ViewMessageHeader("orders", stored.position()))
                        .build());
        assertThat(keys(reply)).containsExactly("u1");
        Command none = broker.request(
                broker.connect(),
                Command.request(RequestCode.VIEW_MESSAGE_BY_ID)
                        .header(new ViewMessageHeader("orders", stored.position() + 3))
                        .build());
        assertThat(none.code()).isEqualTo(ResponseCode.SYSTEM_ERROR);
    }
}
