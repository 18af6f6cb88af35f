/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

class ContinuationTest {
    private final List<Command> replies = new ArrayList<>();

    private final Request request = new Request() {
        @Override
        public long arrivedNanos() {
            return 0;
        }

        @Override
        public Command command() {
            return Command.request(RequestCode.SEND_MESSAGE_V2).build();
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

    private void isAnswered(int code, Executor executor, Runnable work) {
        replies.clear();
        Continuation.run(executor, request, work);
        assertThat(replies).singleElement().satisfies(reply -> {
            assertThat(reply.code()).isEqualTo(code);
            assertThat(reply.remark()).doesNotContain("Exception");
        });
    }

    @Test
    void theRequestIsAnsweredWhateverHappens() {
        isAnswered(
                0,
                Runnable::run,
                () -> request.reply(
                        Command.response(ResponseCode.SUCCESS, "done").build()));
        isAnswered(ResponseCode.INVALID_PARAMETER, Runnable::run, () -> {
            throw new BadField("id", "a number", "x");
        });
        isAnswered(ResponseCode.SYSTEM_ERROR, Runnable::run, () -> {
            throw new IllegalStateException("NullPointerException at a place of the broker");
        });
        isAnswered(
                ResponseCode.SYSTEM_BUSY,
                work -> {
                    throw new RejectedExecutionException("full");
                },
                () -> {});
    }
}
