/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.frame.MalformedFrame;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.PullReply;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.header.SendReply;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/**
 * What one send and one pull may allocate between the socket and the handler and back. A map of the fields would cost more than the whole
 * budget; the header's own copy and the texts of the record are most of it.
 */
class HotPathTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final int ROUNDS = 1_000;

    private final ByteBuffer out = ByteBuffer.allocate(4096);

    @Test
    void aSendAllocatesLittle() throws MalformedFrame {
        byte[] frame = Fixtures.bytes("send_v2_request_310");
        long bytes = perRound(() -> {
            Command command = Command.decode(ByteBuffer.wrap(frame, 4, frame.length - 4));
            SendMessageHeader header = SendMessageHeader.read(command.fields());
            SendReply reply = new SendReply("7F00000100004DC70000000000000000", header.queueId(), 5, header.topic());
            out.clear();
            Command answer = Command.response(0, null).header(reply).build();
            FrameEncoder.encodeHead(answer, command.opaque(), answer.bodyLength(), out);
        });
        assertThat(bytes).isLessThan(3_000);
    }

    @Test
    void aPullAllocatesLittle() throws MalformedFrame {
        byte[] frame = Fixtures.bytes("pull_request_11");
        long bytes = perRound(() -> {
            Command command = Command.decode(ByteBuffer.wrap(frame, 4, frame.length - 4));
            PullHeader header = PullHeader.read(command.fields());
            out.clear();
            Command answer = Command.response(0, "FOUND")
                    .header(new PullReply(header.queueOffset(), 0, 3))
                    .build();
            FrameEncoder.encodeHead(answer, command.opaque(), 1_000, out);
        });
        assertThat(bytes).isLessThan(3_000);
    }

    private interface Round {
        void run() throws MalformedFrame;
    }

    private static long perRound(Round round) throws MalformedFrame {
        for (int i = 0; i < ROUNDS; i++) {
            round.run();
        }
        long before = THREADS.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < ROUNDS; i++) {
            round.run();
        }
        return (THREADS.getCurrentThreadAllocatedBytes() - before) / ROUNDS;
    }
}
