/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.protocol.Fixtures;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.AckHeader;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.header.PopReply;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PopBodiesTest {
    @Test
    void aHandleIsReadAndWrittenAsTheClientMakesIt() {
        AckHeader ack = AckHeader.read(Fixtures.command("ack_request_200051").fields());
        PopHandle handle = PopHandle.parse(ack.extraInfo());
        assertThat(handle).isEqualTo(new PopHandle(0, 1795349965171L, 60_000, 0, "0", "broker-a", 3, 0));
        assertThat(handle.toString()).isEqualTo(ack.extraInfo());
        for (String bad :
                List.of("", "0 1 2 3 4 b 5", "0 1 2 3 4 b 5 6 7", "x 1 2 3 0 b 5 6", "0 1 2 99999999999 0 b 5 6")) {
            assertThatThrownBy(() -> PopHandle.parse(bad)).isInstanceOf(BadField.class);
        }
    }

    @Test
    void anEmptyAnswerStillHasItsNumbers() {
        Command empty = Fixtures.command("pop_response_200050_polling_timeout_210");
        PopReply reply = PopReply.read(empty.fields());
        assertThat(reply.invisibleTime()).isEqualTo(60_000);
        assertThat(reply.restNum()).isZero();
    }

    @Test
    void batchAcksAreReadByShortAndByLongNames() {
        BitSet bits = new BitSet();
        bits.set(0);
        bits.set(9);
        BatchAckBody body = new BatchAckBody(
                "broker-a", List.of(new BatchAckBody.Entry("g", "t", "0", 40, 3, 0, 1_000, 60_000, bits)));
        assertThat(BatchAckBody.parse(ByteBuffer.wrap(body.toJson()))).isEqualTo(body);
        String longNames =
                "{\"brokerName\":\"broker-a\",\"acks\":[{\"consumerGroup\":\"g\",\"topic\":\"t\",\"retry\":\"0\","
                        + "\"startOffset\":40,\"queueId\":3,\"reviveQueueId\":0,\"popTime\":1000,\"invisibleTime\":60000,\"bitSet\":\"AQI=\"}]}";
        assertThat(BatchAckBody.parse(ByteBuffer.wrap(longNames.getBytes(UTF_8))))
                .isEqualTo(body);
    }

    @Test
    void aBitSetIsBounded() {
        String bits = "A".repeat(4_000);
        assertThatThrownBy(() -> BatchAckBody.parse(ByteBuffer.wrap(
                        ("{\"acks\":[{\"c\":\"g\",\"t\":\"t\",\"b\":\"" + bits + "\"}]}").getBytes(UTF_8))))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("8192");
    }

    @Test
    void aTableOfModesComesBack() {
        RequestModeTable table = new RequestModeTable(
                List.of(new RequestMode("a", "g", "POP", 2), new RequestMode("a", "h", "PULL", 0)));
        assertThat(RequestModeTable.parse(ByteBuffer.wrap(table.toJson()))).isEqualTo(table);
    }

    @Test
    void noAssignmentIsNotAnEmptyOne() {
        assertThat(new String(new Assignment(null, null).toJson(), UTF_8)).isEqualTo("{}");
        assertThat(new String(new Assignment(Set.of(), "PULL").toJson(), UTF_8))
                .isEqualTo("{\"messageQueueAssignments\":[]}");
    }
}
