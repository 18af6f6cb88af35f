/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a priority, a message type and characters that the encoding needs for itself do to a send. */
class PriorityTest {
    private static final String PRIORITY = "_SYS_MSG_PRIORITY_";
    private final TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private Asked create(String topic, String attributes) {
        return broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .header(new CreateTopicHeader(
                        topic, "TBW102", 4, 4, 6, TopicConfig.SINGLE_TAG, 0, false, attributes, false))
                .build());
    }

    private Message stored(Asked sent) {
        return Message.decode(
                broker.store
                        .messages()
                        .readAt(MessageIds.decode(sent.field("msgId")).position()),
                0);
    }

    @Test
    void aPlainMessageGoesToTheQueueOfItsPriority() {
        broker.send("orders", 0, "makes the topic");
        for (int priority = 0; priority < 7; priority++) {
            Asked sent = broker.send("orders", 1, "m", PRIORITY, "" + priority);
            assertThat(sent.number("queueId")).isEqualTo(Math.min(priority, 3));
            assertThat(stored(sent).queueId()).isEqualTo(Math.min(priority, 3));
            assertThat(stored(sent).properties()).containsEntry(PRIORITY, "" + priority);
        }
    }

    @Test
    void elsewhereThePriorityOfASpecialMessageIsTakenOut() {
        broker.send("orders", 0, "makes the topic");
        Asked ordered = broker.send("orders", 1, "m", PRIORITY, "3", "__SHARDINGKEY", "k");
        assertThat(ordered.number("queueId")).isEqualTo(1);
        assertThat(stored(ordered).properties()).doesNotContainKey(PRIORITY);
        Asked delayed = broker.send("orders", 1, "m", PRIORITY, "3", "TIMER_DELAY_MS", "10");
        assertThat(delayed.number("queueId")).isEqualTo(1);
        Asked half = broker.send("orders", 1, "m", PRIORITY, "3", "TRAN_MSG", "true", "PGROUP", "p");
        assertThat(half.number("queueId")).isEqualTo(1);
        broker.pass(10);
        assertThat(TestBroker.messages(broker.pull("orders", 1, 0, "*")))
                .hasSize(2)
                .allSatisfy(m -> assertThat(m.properties()).doesNotContainKey(PRIORITY));
    }

    @Test
    void inATopicOfPrioritiesItAlwaysCounts() {
        assertThat(create("urgent", "+message.type=PRIORITY").result()).isZero();
        assertThat(broker.send("urgent", 1, "m", PRIORITY, "3", "__SHARDINGKEY", "k")
                        .number("queueId"))
                .isEqualTo(3);
        assertThat(broker.send("urgent", 1, "m", PRIORITY, "2", "TIMER_DELAY_MS", "10")
                        .number("queueId"))
                .isEqualTo(2);
        broker.pass(10);
        assertThat(TestBroker.messages(broker.pull("urgent", 2, 0, "*")).get(0).properties())
                .containsEntry(PRIORITY, "2")
                .containsEntry("REAL_QID", "2");
    }

    @Test
    void whatIsNoPriorityIsLeftAlone() {
        broker.send("orders", 0, "makes the topic");
        for (String text : new String[] {"-1", "high", "99999999999"}) {
            Asked sent = broker.send("orders", 1, "m", PRIORITY, text);
            assertThat(sent.number("queueId")).isEqualTo(1);
            assertThat(stored(sent).properties()).containsEntry(PRIORITY, text);
        }
    }

    @Test
    void attributesThatMeanSomethingAreChecked() {
        assertThat(create("a", "+message.type=URGENT").result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(create("a", "+message.type=URGENT").remark()).contains("message.type", "PRIORITY", "URGENT");
        for (String window : new String[] {"7", "d", "0d", "-1d", "1w", "367d", "1000000000h", "1.5h"}) {
            assertThat(create("a", "+waybill.dedup=" + window).remark())
                    .as(window)
                    .contains("waybill.dedup", "366d", window);
        }
        assertThat(create("a", "+message.type=FIFO,+waybill.dedup=7d,+own=thing")
                        .result())
                .isZero();
    }

    @Test
    void separatorsInNamesAndValuesAreRefusedWithTheFieldNamed() {
        for (String properties : new String[] {"a\u0001b\u0002c\u0002", "a\u0001b\u0001c\u0002", "nonsense"}) {
            Asked refused = broker.ask(TestBroker.sending(
                    TestBroker.sendHeader("orders", 0, properties.getBytes(java.nio.charset.StandardCharsets.UTF_8)),
                    "m"));
            assertThat(refused.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
            assertThat(refused.remark()).contains("properties").contains("U+0001");
        }
    }

    @Test
    void everyOtherTextComesBackAsItWas() {
        String text = "\u00e4\ud83d\ude00\u4f60\u0000\u0003\t\n\"\\ \uffff\u2028 x";
        Asked sent = broker.send("orders", 0, "m", "UNIQ_KEY", "u", "TAGS", text, "own " + text, text, "gone", "");
        assertThat(stored(sent).properties())
                .containsEntry("TAGS", text)
                .containsEntry("own " + text, text)
                .doesNotContainKey("gone");
    }
}
