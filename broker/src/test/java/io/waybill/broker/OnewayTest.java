/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.frame.MalformedFrame;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** A one-way request counts against its connection until it is answered: one that never is would be held against it for ever. */
class OnewayTest {
    private static final class Oneway implements Request {
        private final Command command;
        private final Connection connection;
        private int ends;

        Oneway(Command command, Connection connection) throws MalformedFrame {
            byte[] frame = FrameEncoder.encode(command);
            this.command =
                    Command.decode(ByteBuffer.wrap(frame, 4, frame.length - 4).slice());
            this.connection = connection;
        }

        @Override
        public Command command() {
            return command;
        }

        @Override
        public Connection connection() {
            return connection;
        }

        @Override
        public long arrivedNanos() {
            return 0;
        }

        @Override
        public void reply(Command response) {
            ends++;
        }

        @Override
        public void reply(Command head, List<ByteBuffer> body, Runnable released) {
            ends++;
            released.run();
        }

        @Override
        public void refuse(int code, String remark) {
            ends++;
        }
    }

    @Test
    void everyKindOfOnewayRequestIsAnsweredOnce() throws Exception {
        TreeSet<Integer> codes = new TreeSet<>(HostileTest.FINE.keySet());
        codes.addAll(HostileTest.FINE_BODIES.keySet());
        codes.addAll(HostileTest.BARE);
        codes.add(999);
        try (TestBroker broker = new TestBroker()) {
            broker.send("orders", 0, "first");
            FakeConnection connection = broker.connect();
            List<Oneway> asked = new ArrayList<>();
            for (int round = 0; round < 3; round++) {
                for (int code : codes) {
                    Command.Builder request = Command.request(code).oneway();
                    if (round > 0) { // without what it needs at first
                        for (Map.Entry<String, String> field :
                                HostileTest.FINE.getOrDefault(code, Map.of()).entrySet()) {
                            request.field(field.getKey(), field.getValue());
                        }
                        request.body(HostileTest.FINE_BODIES
                                .getOrDefault(code, "a body")
                                .getBytes(StandardCharsets.UTF_8));
                    }
                    Oneway oneway = new Oneway(request.build(), connection);
                    asked.add(oneway);
                    try {
                        broker.features.handler().handle(oneway);
                    } catch (RuntimeException e) {
                        if (oneway.ends == 0) {
                            oneway.ends++; // the connection refuses what its handler throws
                        }
                    }
                    broker.settle();
                }
            }
            broker.pass(120_000);
            for (Oneway oneway : asked) {
                assertThat(oneway.ends).as("%s", oneway.command).isEqualTo(1);
            }
        }
    }
}
