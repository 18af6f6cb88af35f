/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.request.Lanes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.frame.Limits;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;
import io.waybill.store.log.BatchStored;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.FirstMessage;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

class SendRepliesTest {
    private final List<Command> replies = new ArrayList<>();

    private final Request request = new Request() {
        @Override
        public long arrivedNanos() {
            return 0;
        }

        @Override
        public Command command() {
            return Command.request(RequestCode.SEND_BATCH_MESSAGE).build();
        }

        @Override
        public Connection connection() {
            throw new AssertionError("not asked for");
        }

        @Override
        public void reply(Command response) {
            replies.add(response);
        }

        @Override
        public void reply(Command head, List<ByteBuffer> body, Runnable released) {
            replies.add(head);
        }
    };

    private final SimulatedClock clock = new SimulatedClock();

    private final SendReplies sends = new SendReplies(
            new MessageStamp(
                    BrokerSettings.defaults(),
                    new Platform(clock, RandomSource.seeded(1), new SimulatedDuties(clock)),
                    null,
                    new InetSocketAddress("2001:db8::1", 10911)),
            null,
            null,
            new Stats(clock),
            new Lanes(
                    lane -> work -> {
                        throw new RejectedExecutionException("full");
                    },
                    clock));

    @Test
    void theAnswerToALargeBatchFitsAHeaderHoweverManyAreDuplicates() {
        List<Stored> stored = new ArrayList<>();
        List<FirstMessage> prior = new ArrayList<>();
        for (int i = 0; i < 8_192; i++) {
            stored.add(i == 0 ? new Stored(1_000_000, 0, 1, 100, 0) : null);
            prior.add(i == 0 ? null : new FirstMessage(100L * i, i, 0, 1));
        }
        sends.reply(request, new BatchStored(stored, prior), new Placement.Batch(List.of(), List.of(), 0, "u"));
        Command reply = replies.get(0);
        assertThat(reply.code()).isZero();
        assertThat(FrameEncoder.encode(reply).length).isLessThan(Limits.MAX_HEADER_LENGTH);
        assertThat(reply.fields().get("WAYBILL_DUPLICATE")).startsWith("1,2,3,").endsWith(",8191");
        assertThat(reply.fields().get("msgId")).isNotEmpty();
    }

    @Test
    void aDuplicateIsAnsweredAlsoWhenNoThreadCanReadTheFirstMessage() {
        FirstMessage first = new FirstMessage(100, 7, 0, 1);
        sends.single(request, new Refused(Refused.Reason.DUPLICATE, "it is there", first), 0, "u", null);
        assertThat(replies)
                .singleElement()
                .satisfies(reply -> assertThat(reply.code()).isEqualTo(ResponseCode.SYSTEM_BUSY));
    }
}
