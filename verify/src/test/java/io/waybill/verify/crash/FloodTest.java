/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.crash;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.WaybillClient;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.RegisterBrokerBody;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.SendMessageHeader;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.DeflaterOutputStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * One peer against a server with less heap than it has by default. Each of these ended the process or refused everybody for
 * half a minute; after each, while the attacker's connections are still open, a normal client is served.
 */
@Tag("end-to-end")
class FloodTest {
    private static final int MIB = 1 << 20;

    private final List<Socket> attackers = new ArrayList<>();

    private interface Attack {
        void run() throws IOException;
    }

    private Socket attacker(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        Socket socket = new Socket();
        socket.setReceiveBufferSize(64 * 1024);
        socket.connect(
                new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))));
        attackers.add(socket);
        return socket;
    }

    /** Writes as much as the server takes; it may close or stop to read. */
    private void write(Socket socket, byte[] bytes, int length) {
        Thread writer = new Thread(() -> {
            try {
                socket.getOutputStream().write(bytes, 0, length);
            } catch (IOException closed) {
                // as it should be, or the end of the test
            }
        });
        writer.setDaemon(true);
        writer.start();
    }

    @Test
    void aNormalClientIsServedWhateverOnePeerFloods(@TempDir Path directory) throws Exception {
        try (ServerProcess server = ServerProcess.start(directory.resolve("data"), 0, 0);
                WaybillClient client = WaybillClient.connect(server.namesrv());
                Producer producer = client.producer("honest").build()) {
            String broker = server.broker();
            byte[] body = new byte[3 * MIB];
            producer.send(Message.to("orders").body("first").build());

            held(producer, "unfinished frames, 100 MB", () -> {
                byte[] send = sending("orders", body, false);
                for (int i = 0; i < 36; i++) {
                    write(attacker(broker), send, send.length - 1);
                }
            });
            held(producer, "one-way sends faster than the disk, 150 MB", () -> {
                byte[] send = sending("orders", body, true);
                Socket one = attacker(broker);
                ByteArrayOutputStream many = new ByteArrayOutputStream();
                for (int i = 0; i < 50; i++) {
                    many.writeBytes(send);
                }
                write(one, many.toByteArray(), many.size());
            });
            held(producer, "held pulls with headers of 60 KB, 100 MB", () -> {
                byte[] pull = FrameEncoder.encode(Command.request(RequestCode.PULL_MESSAGE)
                        .header(new PullHeader("hog", "orders", 3, 0, 32, 6, 0, 30_000, "*", 0, "TAG", 0, null))
                        .field("more", "x".repeat(32_000))
                        .build());
                ByteArrayOutputStream many = new ByteArrayOutputStream();
                for (int i = 0; i < 800; i++) {
                    many.writeBytes(pull);
                }
                for (int i = 0; i < 4; i++) {
                    write(attacker(broker), many.toByteArray(), many.size());
                }
            });
            held(producer, "JSON bodies of nothing but values, 22 MB", () -> {
                byte[] json = ("{\"a\":[" + "{},".repeat(1_800_000) + "0]}").getBytes(UTF_8);
                for (int code : new int[] {RequestCode.HEART_BEAT, RequestCode.LOCK_BATCH_MQ}) {
                    byte[] request =
                            FrameEncoder.encode(Command.request(code).body(json).build());
                    for (int i = 0; i < 2; i++) {
                        write(attacker(broker), request, request.length);
                    }
                }
            });
            held(producer, "heartbeats on one connection, 20 MB", () -> {
                Socket one = attacker(broker);
                ByteArrayOutputStream many = new ByteArrayOutputStream();
                for (int i = 0; i < 30; i++) {
                    many.writeBytes(heartbeat(i));
                }
                write(one, many.toByteArray(), many.size());
            });
            held(producer, "registrations that inflate", () -> {
                byte[] zip = registration(1_200_000);
                for (int i = 0; i < 6; i++) {
                    byte[] request = FrameEncoder.encode(Command.request(RequestCode.REGISTER_BROKER)
                            .field("brokerName", "hog-" + i)
                            .field("brokerAddr", "10.0.0.1:" + (1000 + i))
                            .field("clusterName", "hogs")
                            .field("haServerAddr", "")
                            .field("brokerId", 0)
                            .field("compressed", true)
                            .field("bodyCrc32", RegisterBrokerBody.crc(ByteBuffer.wrap(zip)))
                            .body(zip)
                            .build());
                    write(attacker(server.namesrv()), request, request.length);
                }
            });
            assertThat(server.terminate()).as("alive to the end").isZero();
        } finally {
            for (Socket socket : attackers) {
                socket.close();
            }
        }
    }

    private static void held(Producer producer, String what, Attack attack) throws Exception {
        attack.run();
        long slowest = 0;
        for (int i = 0; i < 10; i++) {
            long begin = System.nanoTime();
            producer.send(Message.to("orders").body("under " + what).build());
            slowest = Math.max(slowest, System.nanoTime() - begin);
        }
        System.out.println(what + ": a send took " + slowest / 1_000_000 + " ms at most");
    }

    private static byte[] sending(String topic, byte[] body, boolean oneway) {
        SendMessageHeader header = new SendMessageHeader(
                "hog", topic, "TBW102", 4, 0, 0, 1_000, 7, new byte[0], 0, false, -1, false, "broker-a");
        Command.Builder send = Command.request(RequestCode.SEND_MESSAGE_V2).header(header);
        return FrameEncoder.encode((oneway ? send.oneway() : send).body(body).build());
    }

    private static byte[] heartbeat(int number) {
        StringBuilder json = new StringBuilder("{\"clientID\":\"c" + number + "\",\"consumerDataSet\":[");
        for (int group = 0; group < 200; group++) {
            json.append(group == 0 ? "" : ",")
                    .append("{\"groupName\":\"g-" + number + "-" + group + "\",\"consumeType\":\"CONSUME_PASSIVELY\","
                            + "\"messageModel\":\"CLUSTERING\",\"consumeFromWhere\":\"CONSUME_FROM_LAST_OFFSET\","
                            + "\"subscriptionDataSet\":[{\"topic\":\"orders\",\"subVersion\":1,\"subString\":\"");
            json.append("x".repeat(3_500)).append("\"}]}");
        }
        return FrameEncoder.encode(Command.request(RequestCode.HEART_BEAT)
                .body(json.append("],\"producerDataSet\":[]}").toString().getBytes(UTF_8))
                .build());
    }

    private static byte[] registration(int topics) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(new DeflaterOutputStream(bytes))) {
            byte[] version = "{\"counter\":1,\"stateVersion\":0,\"timestamp\":1}".getBytes(UTF_8);
            out.writeInt(version.length);
            out.write(version);
            out.writeInt(topics);
            for (int i = 0; i < topics; i++) {
                byte[] text = ("t" + i + " 8 8 6 SINGLE_TAG {}").getBytes(UTF_8);
                out.writeInt(text.length);
                out.write(text);
            }
            out.writeInt(2);
            out.write("[]".getBytes(UTF_8));
            out.writeInt(0);
        }
        return bytes.toByteArray();
    }
}
