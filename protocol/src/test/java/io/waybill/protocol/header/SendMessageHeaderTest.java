/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.protocol.Fixtures;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.message.MessageProperties;
import org.junit.jupiter.api.Test;

class SendMessageHeaderTest {
    @Test
    void readsTheShortNames() {
        SendMessageHeader header =
                SendMessageHeader.read(Fixtures.command("send_v2_request_310").fields());
        assertThat(header.producerGroup()).isEqualTo("PG_basic");
        assertThat(header.topic()).isEqualTo("ProtoTopic");
        assertThat(header.defaultTopic()).isEqualTo("TBW102");
        assertThat(header.defaultTopicQueueNums()).isEqualTo(4);
        assertThat(header.bornTimestamp()).isEqualTo(1795349712608L);
        assertThat(header.brokerName()).isEqualTo("broker-a");
        assertThat(header.maxReconsumeTimes()).isEqualTo(-1);
        assertThat(MessageProperties.get(header.properties(), "KEYS")).isEqualTo("key1 key2");
        assertThat(header.propertiesText()).startsWith("color\u0001red\u0002KEYS\u0001key1 key2\u0002UNIQ_KEY\u0001");
    }

    @Test
    void readsTheLongNamesTheSame() {
        SendMessageHeader given = new SendMessageHeader(
                "pg", "t", "TBW102", 4, -1, 0x301, 5, 6, "a\u0001b\u0002".getBytes(UTF_8), 7, true, 8, true, "b");
        Command command = Command.request(10).header(given.longNames()).build();
        SendMessageHeader seen = SendMessageHeader.read(
                Fixtures.decode(FrameEncoder.encode(command)).fields());
        assertThat(seen).usingRecursiveComparison().isEqualTo(given);
        Command brief = Command.request(310).header(given).build();
        assertThat(SendMessageHeader.read(brief.fields()))
                .usingRecursiveComparison()
                .isEqualTo(given);
    }

    @Test
    void namesWhatIsMissing() {
        Command command = Command.request(310).field("a", "pg").field("b", "t").build();
        assertThatThrownBy(() -> SendMessageHeader.read(command.fields()))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("queueId")
                .hasMessageContaining("missing");
    }

    @Test
    void refusesPropertiesThatCannotBeStored() {
        Command fits = send("x".repeat(32_767));
        assertThat(SendMessageHeader.read(fits.fields()).properties()).hasSize(32_767);
        Command tooLong = send("x".repeat(32_768));
        assertThatThrownBy(() -> SendMessageHeader.read(tooLong.fields()))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("properties")
                .hasMessageContaining("32767")
                .hasMessageContaining("32768");
    }

    private static Command send(String properties) {
        return Command.request(310)
                .field("a", "pg")
                .field("b", "t")
                .field("e", 0)
                .field("f", 0)
                .field("g", 0)
                .field("h", 0)
                .field("i", properties)
                .build();
    }

    @Test
    void namesTheLongNameOfABadShortField() {
        Command command = Command.request(310).field("e", "zero").build();
        assertThatThrownBy(() -> SendMessageHeader.read(command.fields()))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("queueId")
                .hasMessageContaining("zero");
    }
}
