/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.protocol.frame.Command;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class AdminLogTest {
    private final SimulatedClock clock = new SimulatedClock();
    private final List<String> lines = new ArrayList<>();
    private final AdminLog log = new AdminLog(clock, lines::add);

    private record Asked(Command command, List<Command> replies) implements Request {
        @Override
        public Connection connection() {
            return new Connection() {
                @Override
                public long id() {
                    return 1;
                }

                @Override
                public InetSocketAddress remoteAddress() {
                    return InetSocketAddress.createUnresolved("10.0.0.7", 41904);
                }

                @Override
                public boolean isOpen() {
                    return true;
                }

                @Override
                public InetSocketAddress localAddress() {
                    return remoteAddress();
                }

                @Override
                public void send(Command oneway) {}

                @Override
                public CompletableFuture<Command> call(Command command, long timeoutMillis) {
                    throw new UnsupportedOperationException();
                }

                @Override
                public void close() {}

                @Override
                public Object attribute(String name) {
                    return null;
                }

                @Override
                public void attribute(String name, Object value) {}

                @Override
                public void onClose(Runnable action) {}
            };
        }

        @Override
        public long arrivedNanos() {
            return 0;
        }

        @Override
        public void reply(Command response) {
            replies.add(response);
        }

        @Override
        public void reply(Command head, List<ByteBuffer> body, Runnable released) {
            replies.add(head);
            released.run();
        }
    }

    private Asked ask(RequestHandler handler, Command.Builder command) {
        Asked asked = new Asked(command.build(), new ArrayList<>());
        log.watch("DELETE_TOPIC_IN_BROKER", handler).handle(asked);
        return asked;
    }

    @Test
    void aChangeIsOneLineOfAFixedForm() {
        Asked asked = ask(
                request -> {
                    AdminLog.changed(request, "4/4 perm 6", null);
                    request.reply(Command.response(0, null).build());
                    request.reply(Command.response(1, "a second answer is no second line")
                            .build());
                },
                Command.request(215).field("topic", "orders"));
        assertThat(asked.replies()).hasSize(2);
        assertThat(lines)
                .containsExactly("peer=10.0.0.7:41904 request=DELETE_TOPIC_IN_BROKER result=0"
                        + " fields=\"topic=orders\" before=\"4/4 perm 6\" after=none");
    }

    @Test
    void aRefusalIsALineAndAQuestionIsNone() {
        ask(request -> request.refuse(604, "in use"), Command.request(215).field("topic", "orders"));
        assertThat(lines).singleElement().asString().contains("result=604", "remark=\"in use\"");
        ask(
                request -> {
                    AdminLog.onlyRead(request);
                    request.refuse(1, "unknown");
                },
                Command.request(215));
        assertThat(lines).hasSize(1);
    }

    @Test
    void nothingInARequestMakesASecondLineALongOneOrTellsASecret() {
        ask(
                request -> request.reply(Command.response(0, null).build()),
                Command.request(215)
                        .field("topic", "a\"b\n2026 peer=forged\u2028\u001b[31m")
                        .field("Signature", "hidden")
                        .field("big", "x".repeat(1_000_000))
                        .body("y".repeat(100_000).getBytes(StandardCharsets.UTF_8)));
        String line = lines.get(0);
        assertThat(line).contains("topic=a\\\"b?2026 peer=forged??[31m").contains("big=(1000000 bytes)");
        assertThat(line).doesNotContain("hidden").doesNotContain("\n");
        assertThat(line.length()).isLessThan(1_200);
    }

    @Test
    void aFloodIsCutAndCounted() {
        for (int i = 0; i < 10_000; i++) {
            ask(request -> request.reply(Command.response(0, null).build()), Command.request(215));
        }
        assertThat(lines).hasSize(AdminLog.MOST_LINES);
        clock.advance(10_000);
        ask(request -> request.reply(Command.response(0, null).build()), Command.request(215));
        assertThat(lines.get(lines.size() - 1)).contains("9800 such lines were left out");
    }
}
