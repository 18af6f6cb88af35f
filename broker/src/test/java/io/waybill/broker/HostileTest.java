/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfigTable;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.BatchBody;
import io.waybill.remoting.ClientSettings;
import io.waybill.remoting.EventLoops;
import io.waybill.remoting.RemotingClient;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real broker on loopback, and peers that mean no good; after each attack an honest client is served as before. */
class HostileTest {
    private static final long SEED = 20_261_122;
    private static final int PATIENCE_SECONDS = 60;
    private static final int MOST_HELD = 500;

    /** The codes with fields, each with a header that is fine. */
    static final Map<Integer, Map<String, String>> FINE = fine();

    static final Map<Integer, String> FINE_BODIES = fineBodies();

    /** The codes that have neither. */
    static final List<Integer> BARE = List.of(13, 25, 26, 27, 28, 43, 305, 306, 316, 328, 329, 402, 30575);

    /** What may stand for any value of a JSON body. */
    private static final List<String> NASTY_JSON = List.of(
            "null",
            "true",
            "0",
            "-1",
            "1e308",
            "9223372036854775807",
            "-9223372036854775808",
            "99999999999999999999999999",
            "0.5",
            "\"\"",
            "\" \"",
            "\"../../x\"",
            "\"%RETRY%\"",
            "\"%DLQ%../x\"",
            "\"%QUAR%shipping\"",
            "\"-1\"",
            "\"a\\u0000b\\u0001c\\u0002\"",
            "\"\\uD800\"",
            "\"" + "x".repeat(300) + "\"",
            "\"" + "n".repeat(60_000) + "\"",
            "[]",
            "[null]",
            "[[]]",
            "[1,1,1]",
            "{}",
            "{\"a\":{}}",
            "[" + "0,".repeat(20_000) + "0]",
            "\"RMQ_SYS_TRANS_HALF_TOPIC\"");

    private static final List<String> NASTY = List.of(
            "",
            " ",
            "../../../../x",
            "%",
            "%RETRY%",
            "%DLQ%",
            "%RETRY%../x",
            "\u0000",
            "a\nb",
            "a\u0001b\u0002c",
            "x".repeat(300),
            "n".repeat(60_000),
            "\u00fc\u4e2d\uD83D\uDE00",
            "-1",
            "-9223372036854775808",
            "9223372036854775807",
            "9223372036854775808",
            "2147483647",
            "-2147483648",
            "1e9",
            "0x10",
            "NaN",
            "true",
            "null",
            "{\"a\":1}",
            "TBW102",
            "RMQ_SYS_TRANS_HALF_TOPIC",
            "rmq_sys_wheel_timer");

    @TempDir
    static Path parent;

    private static EventLoops loops;
    private static Platform platform;
    private static Broker broker;
    private static RemotingClient client;
    private static String address;

    private final RandomSource random = RandomSource.seeded(SEED);

    @BeforeAll
    static void start() throws Exception {
        loops = EventLoops.create(2);
        platform = Platform.real();
        BrokerSettings settings = BrokerSettings.defaults()
                .with("port", 0)
                .with("namesrv", "")
                .with("flush", "async")
                .with("maxTopics", 200)
                .with("maxHeldPulls", MOST_HELD)
                .with("segmentBytes", 8 << 20)
                .with("freeDiskFloorBytes", 0);
        broker = Broker.start(settings, Files.real(parent.resolve("store")), platform, loops);
        address = "127.0.0.1:" + broker.address().getPort();
        client = new RemotingClient(loops, ClientSettings.defaults(), null);
        assertThat(ask(send("orders", "first")).code()).isZero();
        heartbeat("shipping");
    }

    @AfterAll
    static void stop() throws Exception {
        client.close();
        broker.close();
        platform.duties().close();
        loops.close();
    }

    /** Whatever was done before: an honest client is served, and nothing lies where it should not. */
    @AfterEach
    void theBrokerServesAndKeepsToItsDirectory() throws Exception {
        Command sent = ask(send("orders", "honest"));
        assertThat(sent.code()).as(sent.remark()).isZero();
        long offset = Long.parseLong(sent.fields().get("queueOffset"));
        Command pulled = ask(pull("honest", offset));
        assertThat(pulled.code()).as(pulled.remark()).isZero();
        try (Stream<Path> entries = java.nio.file.Files.list(parent)) {
            assertThat(entries.map(p -> p.getFileName().toString())).containsExactly("store");
        }
        Command topics = ask(Command.request(RequestCode.GET_ALL_TOPIC_CONFIG).build());
        assertThat(TopicConfigTable.parse(topics.body()).topicConfigTable().keySet())
                .allSatisfy(topic -> assertThat(Names.checkTopic(topic)).isNull());
    }

    @Test
    void anAddressThatOthersReachMustBeMeant() {
        BrokerSettings everywhere =
                BrokerSettings.defaults().with("host", "0.0.0.0").with("port", 0);
        assertThatThrownBy(() -> Broker.start(everywhere, Files.real(parent.resolve("store")), platform, loops))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("0.0.0.0")
                .hasMessageContaining("insecure=true");
        assertThatThrownBy(() -> Broker.start(
                        everywhere.with("insecure", true), Files.real(parent.resolve("store")), platform, loops))
                .hasMessageContaining("advertisedHost");
    }

    // ---- well-formed frames with bad contents

    @Test
    void everyFieldOfEveryRequestMayHoldAnything() throws Exception {
        for (Map.Entry<Integer, Map<String, String>> request : FINE.entrySet()) {
            List<CompletableFuture<Command>> answers = new ArrayList<>();
            for (String field : request.getValue().keySet()) {
                for (String nasty : NASTY) {
                    Map<String, String> fields = new LinkedHashMap<>(request.getValue());
                    fields.put(field, nasty);
                    CompletableFuture<Command> answer = call(command(request.getKey(), fields, new byte[] {1}));
                    if (!waitsLong(fields)) {
                        answers.add(answer);
                    }
                }
                Map<String, String> without = new LinkedHashMap<>(request.getValue());
                without.remove(field);
                answers.add(call(command(request.getKey(), without, new byte[0])));
            }
            for (CompletableFuture<Command> answer : answers) {
                checkAnswer(request.getKey(), answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
            }
        }
        client.closeConnection(address); // with those that still wait
    }

    @Test
    void bodiesThatAreNotWhatTheyShouldBeAreRefused() throws Exception {
        String deep = "[".repeat(10_000);
        List<byte[]> bodies = new ArrayList<>();
        for (String text : new String[] {
            "",
            "{",
            "[]",
            "{}",
            "null",
            "\"text\"",
            deep,
            "{\"a\":".repeat(5_000),
            "{{".repeat(5_000),
            "{{\"topic\":\"T\"}:5}",
            "{\"clientID\":{},\"consumerDataSet\":{}}",
            "{\"clientID\":\"\",\"consumerDataSet\":[],\"producerDataSet\":[]}",
            "{\"clientID\":\"" + "c".repeat(500) + "\",\"consumerDataSet\":[],\"producerDataSet\":[]}",
            "{\"clientID\":\"c\",\"consumerDataSet\":[{\"groupName\":\"../g\"}],\"producerDataSet\":[]}",
            "{\"clientID\":\"c\",\"consumerDataSet\":[{\"groupName\":\"g\",\"subscriptionDataSet\":"
                    + "[{\"topic\":\"a/b\"}]}],\"producerDataSet\":[]}",
            "{\"clientID\":\"c\",\"consumerDataSet\":[{\"groupName\":\"g\",\"subscriptionDataSet\":[{\"topic\":\"T\","
                    + "\"subString\":\"" + "a||".repeat(3_000) + "\"}]}],\"producerDataSet\":[]}",
            "{\"groupName\":\"g\",\"retryQueueNums\":2147483647}",
            "{\"groupName\":\"../../g\"}",
            "{\"clientId\":\"c\",\"consumerGroup\":\"g\",\"mqSet\":[{\"topic\":\"../x\",\"brokerName\":\"broker-a\","
                    + "\"queueId\":-5}]}",
            "{\"id\":\"../../x\",\"decision\":\"COMMIT\",\"reason\":\"r\"}",
            "{\"id\":\"" + "9".repeat(5_000) + "\",\"decision\":\"NO\",\"reason\":\"\"}",
            "{\"max\":1e308}",
            "{\"" + "k".repeat(100_000) + "\":1}"
        }) {
            bodies.add(text.getBytes(StandardCharsets.UTF_8));
        }
        byte[] noise = new byte[10_000];
        random.nextBytes(noise);
        bodies.add(noise);
        List<Integer> codes = new ArrayList<>(FINE.keySet());
        codes.addAll(FINE_BODIES.keySet());
        codes.addAll(BARE);
        codes.addAll(List.of(-1, 0, 99_999, Integer.MIN_VALUE));
        for (int code : codes) {
            for (byte[] body : bodies) {
                checkAnswer(code, ask(command(code, FINE.getOrDefault(code, Map.of()), body)));
            }
        }
    }

    @Test
    void everyMemberOfEveryBodyMayHoldAnything() throws Exception {
        Pattern value =
                Pattern.compile("(?<=[:\\[,])(\"[^\"]*\"(?!:)|-?[0-9]+|true|false|\\[[^\\[\\]]*\\]|\\{[^{}]*\\})");
        for (Map.Entry<Integer, String> request : FINE_BODIES.entrySet()) {
            int code = request.getKey();
            String fine = request.getValue();
            checkAnswer(code, ask(command(code, Map.of(), fine.getBytes(StandardCharsets.UTF_8))));
            List<CompletableFuture<Command>> answers = new ArrayList<>();
            Matcher matcher = value.matcher(fine);
            for (int at = 0; matcher.find(at); at = matcher.start() + 1) {
                for (String nasty : NASTY_JSON) {
                    String body = fine.substring(0, matcher.start()) + nasty + fine.substring(matcher.end());
                    answers.add(call(command(code, Map.of(), body.getBytes(StandardCharsets.UTF_8))));
                }
            }
            assertThat(answers).as("request %d", code).isNotEmpty();
            for (CompletableFuture<Command> answer : answers) {
                checkAnswer(code, answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
            }
        }
    }

    @Test
    void everyCodeThisBrokerKnowsIsAttackedHere() throws Exception {
        IntStream all = IntStream.concat(
                IntStream.rangeClosed(0, 1_100),
                IntStream.concat(IntStream.range(30_500, 30_600), IntStream.range(200_000, 200_200)));
        for (int code : all.toArray()) {
            boolean isKnown =
                    ask(command(code, Map.of(), new byte[0])).code() != ResponseCode.REQUEST_CODE_NOT_SUPPORTED;
            if (isKnown) {
                assertThat(FINE.containsKey(code) || FINE_BODIES.containsKey(code) || BARE.contains(code))
                        .as("request code %d is attacked", code)
                        .isTrue();
            }
        }
    }

    @Test
    void batchesWithWrongLengthsAreRefusedWhole() throws Exception {
        byte[] good = BatchBody.encode(List.of(
                new BatchBody.Part(0, ByteBuffer.wrap(new byte[50]), new byte[0]),
                new BatchBody.Part(0, ByteBuffer.wrap(new byte[70]), new byte[0])));
        long before = end("orders");
        int refused = 0;
        for (int round = 0; round < 500; round++) {
            byte[] bad = good.clone();
            int word = new int[] {0, 16, 72, 88}[random.nextInt(4)];
            ByteBuffer.wrap(bad).putInt(word, (int) random.nextLong());
            Command answer = ask(command(RequestCode.SEND_BATCH_MESSAGE, FINE.get(310), bad));
            checkAnswer(RequestCode.SEND_BATCH_MESSAGE, answer);
            assertThat(answer.code()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
            refused++;
        }
        assertThat(end("orders")).as("%d refused", refused).isEqualTo(before);
    }

    @Test
    void numbersFromAnotherWorldDoNoHarm() throws Exception {
        long[] numbers = {Long.MIN_VALUE, -1, 0, 1, 7, 1L << 31, 1L << 40, Long.MAX_VALUE};
        for (long number : numbers) {
            for (int round = 0; round < 20; round++) {
                long near = number + random.nextInt(1_000);
                checkAnswer(37, ask(with(37, "commitLogOffset", near)));
                checkAnswer(33, ask(with(33, "offset", near)));
                checkAnswer(36, ask(with(36, "offset", near)));
                checkAnswer(222, ask(with(222, "timestamp", near)));
                checkAnswer(29, ask(with(29, "timestamp", near)));
                checkAnswer(12, ask(with(12, "beginTimestamp", near)));
                checkAnswer(12, ask(with(12, "endTimestamp", near)));
                checkAnswer(15, ask(with(15, "commitOffset", near)));
                Command pulled = ask(pull("shipping", near));
                checkAnswer(11, pulled);
                assertThat(pulled.fields().get("nextBeginOffset")).isNotNull();
            }
        }
        // A reset to the past may have moved the group; no offset beyond the end was taken.
        long offset = Long.parseLong(ask(with(14, "queueId", 0)).fields().get("offset"));
        assertThat(offset).isBetween(0L, end("orders"));
    }

    @Test
    void seededNoiseInAnyRequest() throws Exception {
        for (int round = 0; round < 2_000; round++) {
            int code = random.nextInt(4) == 0 ? random.nextInt(1_100) : anyOf(List.copyOf(FINE.keySet()));
            Map<String, String> fields = new LinkedHashMap<>(FINE.getOrDefault(code, Map.of()));
            for (String name : List.copyOf(fields.keySet())) {
                if (random.nextInt(6) == 0) {
                    fields.put(name, noise());
                }
            }
            byte[] body = new byte[random.nextInt(200)];
            random.nextBytes(body);
            CompletableFuture<Command> answer = call(command(code, fields, body));
            if (!waitsLong(fields)) {
                checkAnswer(code, answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
            }
        }
        client.closeConnection(address); // with those that still wait
    }

    /** Whether the broker may rightly hold such a pop or look for longer than a test waits. */
    private static boolean waitsLong(Map<String, String> fields) {
        try {
            return Long.parseLong(fields.getOrDefault("pollTime", "0")) > 1_000;
        } catch (NumberFormatException refused) {
            return false;
        }
    }

    // ---- one-way, unasked and held

    @Test
    void onewayVariantsOfEverythingHoldNothing() throws Exception {
        Map<String, String> pull = new LinkedHashMap<>(FINE.get(11));
        pull.put("sysFlag", "6");
        pull.put("subscription", "*");
        pull.put("queueOffset", Long.toString(end("orders")));
        for (int round = 0; round < 5 * MOST_HELD; round++) {
            client.oneway(address, oneway(11, pull));
        }
        for (int code : FINE.keySet()) {
            for (String field : FINE.get(code).keySet()) {
                Map<String, String> fields = new LinkedHashMap<>(FINE.get(code));
                fields.put(field, noise());
                client.oneway(address, oneway(code, fields));
            }
        }
        // Were they held, this one would find no place. Its group is new: shipping may have been reset just now.
        pull.put("consumerGroup", "listeners");
        CompletableFuture<Command> held = call(command(11, atEnd(pull, "orders"), new byte[0]));
        ask(send("orders", "wakes it"));
        assertThat(held.get(PATIENCE_SECONDS, TimeUnit.SECONDS).code()).isZero();
    }

    @Test
    void pullsBeyondTheLimitAreToldToComeLaterAndThoseOfDeadConnectionsAreForgotten() throws Exception {
        Map<String, String> pull = new LinkedHashMap<>(FINE.get(11));
        pull.put("sysFlag", "6");
        pull.put("subscription", "*");
        pull.put("topic", "quiet");
        ask(send("quiet", "one"));
        pull.put("queueOffset", "1");
        for (int wave = 0; wave < 3; wave++) {
            try (Socket socket = connect()) {
                for (int i = 0; i < MOST_HELD + 10; i++) {
                    socket.getOutputStream()
                            .write(FrameEncoder.encode(Command.request(11)
                                    .opaque(i)
                                    .header(sink -> pull.forEach(sink::put))
                                    .build()));
                }
                Command refused = response(socket);
                assertThat(refused.code()).isEqualTo(ResponseCode.SYSTEM_BUSY);
                assertThat(refused.remark()).contains("maxHeldPulls");
            }
            // The next wave finds all places free again.
            Awaitility.await().untilAsserted(() -> {
                CompletableFuture<Command> held = call(command(11, pull, new byte[0]));
                ask(with(30, "queueId", 0)); // behind the pull on the same connection
                assertThat(held.isDone()).isFalse();
            });
            client.closeConnection(address);
        }
    }

    @Test
    void responsesNobodyAskedForAreDropped() throws Exception {
        try (Socket socket = connect()) {
            for (int opaque = 0; opaque < 5_000; opaque++) {
                socket.getOutputStream()
                        .write(FrameEncoder.encode(Command.response(random.nextInt(30), noise())
                                .opaque(opaque)
                                .field("offset", noise())
                                .build()));
            }
            socket.getOutputStream()
                    .write(FrameEncoder.encode(
                            Command.like(with(30, "queueId", 0)).opaque(77).build()));
            assertThat(response(socket).opaque()).isEqualTo(77);
        }
    }

    // ---- bytes that are no frames

    @Test
    void mutatedFramesCostAtMostTheirOwnConnection() throws Exception {
        List<byte[]> frames = new ArrayList<>();
        FINE.forEach((code, fields) -> frames.add(FrameEncoder.encode(command(code, fields, new byte[20]))));
        frames.add(FrameEncoder.encode(send("orders", "body")));
        int closed = 0;
        for (int round = 0; round < 500; round++) {
            byte[] frame = frames.get(random.nextInt(frames.size())).clone();
            for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
                frame[4 + random.nextInt(frame.length - 4)] = (byte) random.nextInt(256);
            }
            try (Socket socket = connect()) {
                socket.getOutputStream().write(frame);
                socket.getOutputStream()
                        .write(FrameEncoder.encode(Command.like(with(30, "queueId", 0))
                                .opaque(424_242)
                                .build()));
                closed += answered(socket, 424_242) ? 0 : 1;
            }
        }
        assertThat(closed).isPositive();
    }

    @Test
    void giantSizesAndPartialFramesHoldNoMemoryOrPeers() throws Exception {
        List<Socket> slow = new ArrayList<>();
        try {
            for (int i = 0; i < 200; i++) {
                Socket socket = connect();
                slow.add(socket);
                // Announces 16 MiB and sends a little: 3 GiB in all if it were believed.
                ByteBuffer start =
                        ByteBuffer.allocate(12).putInt((16 << 20) - 1).putInt(100);
                socket.getOutputStream().write(start.array(), 0, 8 + i % 4);
            }
            assertThat(ask(send("orders", "beside them")).code()).isZero();
        } finally {
            for (Socket socket : slow) {
                socket.close();
            }
        }
    }

    @Test
    void twoThousandConnectionsOpenedAndDropped() throws Exception {
        for (int i = 0; i < 2_000; i++) {
            try (Socket socket = connect()) {
                if (i % 3 == 0) {
                    socket.getOutputStream().write(FrameEncoder.encode(with(38, "consumerGroup", i)));
                }
                if (i % 7 == 0) {
                    socket.setSoLinger(true, 0); // a reset, not an orderly end
                }
            }
        }
    }

    // ---- what an answer must and must not say

    private static void checkAnswer(int code, Command answer) {
        String remark = answer.remark() == null ? "" : answer.remark();
        assertThat(remark)
                .as("request %d answered %d", code, answer.code())
                .doesNotContain("Exception", "Error:", "\tat ", "java.", "io.waybill", parent.toString())
                .doesNotContain("log says why")
                .hasSizeLessThanOrEqualTo(Command.MAX_REMARK_LENGTH);
        if (answer.code() != 0 && answer.code() < 19) {
            assertThat(remark).as("request %d answered %d", code, answer.code()).isNotBlank();
        }
    }

    // ---- requests

    private static Map<Integer, Map<String, String>> fine() {
        Map<Integer, Map<String, String>> fine = new LinkedHashMap<>();
        Map<String, String> send = Map.of(
                "a",
                "producers",
                "b",
                "orders",
                "c",
                "TBW102",
                "d",
                "4",
                "e",
                "0",
                "f",
                "0",
                "g",
                "1",
                "h",
                "0",
                "i",
                "UNIQ_KEY\u0001u\u0002",
                "j",
                "0");
        fine.put(310, send);
        fine.put(320, send);
        fine.put(
                10,
                Map.of(
                        "producerGroup",
                        "producers",
                        "topic",
                        "orders",
                        "defaultTopic",
                        "TBW102",
                        "queueId",
                        "0",
                        "sysFlag",
                        "0",
                        "bornTimestamp",
                        "1",
                        "flag",
                        "0",
                        "properties",
                        "TRAN_MSG\u0001true\u0002",
                        "reconsumeTimes",
                        "0",
                        "maxReconsumeTimes",
                        "3"));
        fine.put(
                11,
                Map.of(
                        "consumerGroup",
                        "shipping",
                        "topic",
                        "orders",
                        "queueId",
                        "0",
                        "queueOffset",
                        "0",
                        "maxMsgNums",
                        "32",
                        "sysFlag",
                        "4",
                        "commitOffset",
                        "0",
                        "suspendTimeoutMillis",
                        "20000",
                        "subscription",
                        "*",
                        "subVersion",
                        "0"));
        fine.put(361, fine.get(11));
        fine.put(
                12,
                Map.of(
                        "topic",
                        "orders",
                        "key",
                        "k",
                        "maxNum",
                        "10",
                        "beginTimestamp",
                        "0",
                        "endTimestamp",
                        "9223372036854775807",
                        "indexType",
                        "K",
                        "_UNIQUE_KEY_QUERY",
                        "false"));
        fine.put(
                14,
                Map.of("consumerGroup", "shipping", "topic", "orders", "queueId", "0", "setZeroIfNotFound", "true"));
        fine.put(15, Map.of("consumerGroup", "shipping", "topic", "orders", "queueId", "0", "commitOffset", "0"));
        fine.put(
                17,
                Map.of(
                        "topic",
                        "made",
                        "defaultTopic",
                        "TBW102",
                        "readQueueNums",
                        "1",
                        "writeQueueNums",
                        "1",
                        "perm",
                        "6",
                        "topicFilterType",
                        "SINGLE_TAG",
                        "topicSysFlag",
                        "0",
                        "order",
                        "false",
                        "attributes",
                        "+message.type=NORMAL"));
        fine.put(29, Map.of("topic", "orders", "queueId", "0", "timestamp", "0", "boundaryType", "LOWER"));
        fine.put(30, Map.of("topic", "orders", "queueId", "0", "committed", "true"));
        fine.put(31, Map.of("topic", "orders", "queueId", "0"));
        fine.put(32, Map.of("topic", "orders", "queueId", "0"));
        fine.put(33, Map.of("topic", "orders", "offset", "0"));
        fine.put(35, Map.of("clientID", "nobody", "producerGroup", "p", "consumerGroup", "c"));
        fine.put(
                36,
                Map.of(
                        "offset",
                        "0",
                        "group",
                        "shipping",
                        "delayLevel",
                        "18",
                        "originMsgId",
                        "u",
                        "originTopic",
                        "orders",
                        "unitMode",
                        "false",
                        "maxReconsumeTimes",
                        "16"));
        fine.put(
                37,
                Map.of(
                        "topic",
                        "orders",
                        "producerGroup",
                        "producers",
                        "tranStateTableOffset",
                        "0",
                        "commitLogOffset",
                        "0",
                        "commitOrRollback",
                        "8",
                        "fromTransactionCheck",
                        "false",
                        "msgId",
                        "u",
                        "transactionId",
                        "u"));
        fine.put(38, Map.of("consumerGroup", "shipping"));
        fine.put(202, Map.of("topic", "orders"));
        fine.put(203, Map.of("consumerGroup", "shipping"));
        fine.put(204, Map.of("producerGroup", "producers"));
        fine.put(208, Map.of("consumerGroup", "shipping", "topic", "orders"));
        fine.put(
                222,
                Map.of(
                        "topic",
                        "orders",
                        "group",
                        "shipping",
                        "timestamp",
                        "0",
                        "isForce",
                        "true",
                        "queueId",
                        "-1",
                        "offset",
                        "-1"));
        fine.put(300, Map.of("topic", "orders"));
        fine.put(323, Map.of("topic", "TRANS_CHECK_MAX_TIME_TOPIC", "msgId", "7F00000100002A9F0000000000000000"));
        fine.put(351, Map.of("topic", "orders"));
        fine.put(352, Map.of("group", "shipping"));
        fine.put(370, Map.of("producerGroup", "producers", "topic", "orders", "recallHandle", "djEgYSBiIDEgdQ=="));
        fine.put(
                324,
                fields(
                        "producerGroup",
                        "shipping",
                        "topic",
                        "DefaultCluster_REPLY_TOPIC",
                        "defaultTopic",
                        "TBW102",
                        "defaultTopicQueueNums",
                        "1",
                        "queueId",
                        "0",
                        "sysFlag",
                        "0",
                        "bornTimestamp",
                        "1",
                        "flag",
                        "0",
                        "properties",
                        "CORRELATION_ID\u0001c\u0002REPLY_TO_CLIENT\u0001honest\u0002",
                        "reconsumeTimes",
                        "0",
                        "unitMode",
                        "false"));
        fine.put(
                325,
                fields(
                        "a",
                        "shipping",
                        "b",
                        "DefaultCluster_REPLY_TOPIC",
                        "c",
                        "TBW102",
                        "d",
                        "1",
                        "e",
                        "0",
                        "f",
                        "0",
                        "g",
                        "1",
                        "h",
                        "0",
                        "i",
                        "CORRELATION_ID\u0001c\u0002REPLY_TO_CLIENT\u0001honest\u0002",
                        "j",
                        "0",
                        "k",
                        "false"));
        fine.put(207, fields("groupName", "passing", "cleanOffset", "true"));
        fine.put(215, fields("topic", "made"));
        fine.put(30576, fields("topic", "made"));
        fine.put(223, fields("topic", "orders", "group", "shipping", "clientAddr", "honest"));
        fine.put(303, fields("topic", "orders", "group", "shipping"));
        fine.put(307, fields("consumerGroup", "shipping", "clientId", "honest", "jstackEnable", "true"));
        fine.put(308, fields("topic", "orders", "compareGroup", "shipping", "filterGroups", "passing"));
        fine.put(
                309,
                fields(
                        "consumerGroup",
                        "shipping",
                        "clientId",
                        "honest",
                        "msgId",
                        "7F00000100002A9F0000000000000000",
                        "brokerName",
                        "broker-a",
                        "topic",
                        "orders",
                        "topicSysFlag",
                        "0",
                        "groupSysFlag",
                        "0"));
        fine.put(314, fields("srcGroup", "shipping", "destGroup", "passing", "topic", "orders", "offline", "true"));
        fine.put(315, fields("statsName", "TOPIC_PUT_NUMS", "statsKey", "orders"));
        fine.put(317, fields("isOrder", "false"));
        fine.put(
                321,
                fields("topic", "orders", "queueId", "0", "index", "0", "count", "10", "consumerGroup", "shipping"));
        fine.put(343, fields("group", "shipping"));
        fine.put(345, fields("group", "shipping", "topic", "orders"));
        fine.put(353, fields("group", "passing", "topic", "orders", "readable", "true"));
        fine.put(21, fields("topicSeq", "0", "maxTopicNum", "10", "dataVersion", ""));
        fine.put(201, fields("groupSeq", "0", "maxGroupNum", "10", "dataVersion", ""));
        fine.put(
                200050,
                fields(
                        "consumerGroup",
                        "popping",
                        "topic",
                        "orders",
                        "queueId",
                        "-1",
                        "maxMsgNums",
                        "8",
                        "invisibleTime",
                        "5000",
                        "pollTime",
                        "0",
                        "bornTime",
                        "1",
                        "initMode",
                        "0",
                        "expType",
                        "TAG",
                        "exp",
                        "*",
                        "order",
                        "false",
                        "attemptId",
                        "a",
                        "bname",
                        "broker-a"));
        fine.put(
                200051,
                fields(
                        "consumerGroup",
                        "popping",
                        "topic",
                        "orders",
                        "queueId",
                        "0",
                        "extraInfo",
                        "0 1 5000 0 0 broker-a 0 0",
                        "offset",
                        "0",
                        "bname",
                        "broker-a"));
        fine.put(
                200052,
                fields(
                        "consumerGroup",
                        "popping",
                        "topic",
                        "orders",
                        "queueId",
                        "0",
                        "maxMsgNums",
                        "8",
                        "bname",
                        "broker-a"));
        fine.put(
                200053,
                fields(
                        "consumerGroup",
                        "popping",
                        "topic",
                        "orders",
                        "queueId",
                        "0",
                        "extraInfo",
                        "0 1 5000 0 0 broker-a 0 0",
                        "offset",
                        "0",
                        "invisibleTime",
                        "5000",
                        "suspend",
                        "true",
                        "bname",
                        "broker-a"));
        fine.put(
                200054,
                fields(
                        "consumerGroup",
                        "popping",
                        "topic",
                        "orders",
                        "queueId",
                        "0",
                        "pollTime",
                        "0",
                        "bornTime",
                        "1",
                        "order",
                        "false",
                        "attemptId",
                        "a",
                        "expType",
                        "SQL92",
                        "exp",
                        "a > 1",
                        "bname",
                        "broker-a"));
        fine.put(200055, fields("consumerGroup", "popping", "topic", "orders", "queueId", "0"));
        fine.put(200056, fields("consumerGroup", "popping", "topic", "orders", "queueId", "0"));
        return fine;
    }

    /** The codes with a JSON body, each with one that is fine. */
    private static Map<Integer, String> fineBodies() {
        String config = "{\"groupName\":\"passing\",\"retryQueueNums\":1,\"retryMaxTimes\":3,\"attributes\":"
                + "{\"+waybill.rate\":\"100\",\"waybill.quarantine.after\":\"3\"},\"groupRetryPolicy\":{\"type\":"
                + "\"EXPONENTIAL\",\"exponentialRetryPolicy\":{\"initial\":1000,\"max\":2000,\"multiplier\":2}}}";
        Map<Integer, String> fine = new LinkedHashMap<>();
        fine.put(
                18,
                "{\"topicConfigList\":[{\"topicName\":\"made\",\"readQueueNums\":1,\"writeQueueNums\":1,\"perm\":6,"
                        + "\"topicFilterType\":\"SINGLE_TAG\",\"topicSysFlag\":0,\"order\":false,"
                        + "\"attributes\":{\"+message.type\":\"NORMAL\",\"+waybill.dedup\":\"1h\"}}]}");
        fine.put(
                34,
                "{\"clientID\":\"stranger\",\"consumerDataSet\":[{\"groupName\":\"passing\",\"consumeType\":\"CONSUME_POP\","
                        + "\"messageModel\":\"CLUSTERING\",\"consumeFromWhere\":\"CONSUME_FROM_FIRST_OFFSET\","
                        + "\"subscriptionDataSet\":[{\"topic\":\"orders\",\"subString\":\"a > 1\","
                        + "\"expressionType\":\"SQL92\",\"tagsSet\":[\"t\"],\"codeSet\":[1],\"subVersion\":1}]}],"
                        + "\"producerDataSet\":[{\"groupName\":\"p\"}],\"heartbeatFingerprint\":0,\"withoutSub\":false}");
        fine.put(
                41,
                "{\"clientId\":\"stranger\",\"consumerGroup\":\"passing\",\"onlyThisBroker\":false,"
                        + "\"mqSet\":[{\"topic\":\"orders\",\"brokerName\":\"broker-a\",\"queueId\":0}]}");
        fine.put(42, fine.get(41));
        fine.put(
                46,
                "{\"clientId\":\"stranger\",\"group\":\"passing\",\"namespace\":\"n\",\"subscriptionData\":"
                        + "{\"topic\":\"orders\",\"subString\":\"a > 1\",\"expressionType\":\"SQL92\",\"subVersion\":1}}");
        fine.put(200, config);
        fine.put(225, "{\"groupConfigList\":[" + config + "]}");
        fine.put(
                400,
                "{\"clientId\":\"honest\",\"consumerGroup\":\"shipping\",\"messageModel\":\"CLUSTERING\","
                        + "\"strategyName\":\"AVG\",\"topic\":\"orders\"}");
        fine.put(401, "{\"consumerGroup\":\"passing\",\"mode\":\"POP\",\"popShareQueueNum\":2,\"topic\":\"orders\"}");
        fine.put(
                30561,
                "{\"max\":10,\"topic\":\"orders\",\"group\":\"producers\",\"minAgeMillis\":0,\"maxAgeMillis\":9}");
        fine.put(30562, "{\"id\":\"7F00000100002A9F0000000000000000\"}");
        fine.put(
                30563,
                "{\"id\":\"7F00000100002A9F0000000000000000\",\"decision\":\"COMMIT\",\"reason\":\"r\","
                        + "\"by\":\"somebody\"}");
        fine.put(
                30564,
                "{\"topic\":\"orders\",\"key\":\"k\",\"action\":\"RESCHEDULE\",\"deliverTimeMillis\":1,"
                        + "\"by\":\"somebody\"}");
        fine.put(30565, "{\"topic\":\"orders\",\"key\":\"k\",\"max\":5}");
        fine.put(30566, "{\"group\":\"shipping\"}");
        fine.put(30567, "{\"group\":\"shipping\",\"topic\":\"orders\",\"messageId\":\"u\"}");
        fine.put(30568, "{\"id\":\"7F00000100002A9F0000000000000000\",\"topic\":\"orders\"}");
        fine.put(30569, "{\"group\":\"shipping\",\"from\":0,\"max\":5,\"settled\":true}");
        fine.put(
                30570,
                "{\"group\":\"shipping\",\"offsets\":[0,1],\"action\":\"REDRIVE\",\"maxPerSecond\":5,"
                        + "\"edit\":{\"properties\":{\"a\":\"b\"},\"body\":\"AAAA\"},\"toGroupOnly\":true,"
                        + "\"by\":\"somebody\",\"reason\":\"r\"}");
        fine.put(
                30571,
                "{\"group\":\"shipping\",\"action\":\"RELEASE\",\"topic\":\"orders\",\"key\":\"k\",\"queueId\":0,"
                        + "\"offset\":0,\"reason\":\"r\",\"by\":\"somebody\"}");
        fine.put(
                200151,
                "{\"brokerName\":\"broker-a\",\"acks\":[{\"c\":\"popping\",\"t\":\"orders\",\"r\":\"0\",\"so\":0,"
                        + "\"q\":0,\"rq\":0,\"pt\":1,\"it\":5000,\"b\":\"Dw==\"}]}");
        return fine;
    }

    private static Map<String, String> fields(String... namesAndValues) {
        Map<String, String> fields = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            fields.put(namesAndValues[i], namesAndValues[i + 1]);
        }
        return fields;
    }

    private int anyOf(List<Integer> codes) {
        return codes.get(random.nextInt(codes.size()));
    }

    private String noise() {
        return switch (random.nextInt(3)) {
            case 0 -> NASTY.get(random.nextInt(NASTY.size()));
            case 1 -> Long.toString(random.nextLong() >> random.nextInt(64));
            default -> {
                StringBuilder text = new StringBuilder();
                for (int i = random.nextInt(20); i > 0; i--) {
                    text.append((char) random.nextInt(random.nextInt(2) == 0 ? 128 : 0xD800));
                }
                yield text.toString();
            }
        };
    }

    private static Command command(int code, Map<String, String> fields, byte[] body) {
        return Command.request(code)
                .header(sink -> fields.forEach(sink::put))
                .body(body)
                .build();
    }

    private static Command oneway(int code, Map<String, String> fields) {
        return Command.request(code)
                .oneway()
                .header(sink -> fields.forEach(sink::put))
                .build();
    }

    private static Command with(int code, String field, long value) {
        Map<String, String> fields = new LinkedHashMap<>(FINE.get(code));
        fields.put(field, Long.toString(value));
        return command(code, fields, new byte[0]);
    }

    private static Map<String, String> atEnd(Map<String, String> pull, String topic) throws Exception {
        Map<String, String> fields = new LinkedHashMap<>(pull);
        fields.put("queueOffset", Long.toString(end(topic)));
        return fields;
    }

    private static long end(String topic) throws Exception {
        Command answer = ask(Command.request(RequestCode.GET_MAX_OFFSET)
                .field("topic", topic)
                .field("queueId", 0)
                .build());
        return Long.parseLong(answer.fields().get("offset"));
    }

    private static Command send(String topic, String body) {
        return Command.request(RequestCode.SEND_MESSAGE_V2)
                .header(new SendMessageHeader(
                        "producers", topic, "TBW102", 1, 0, 0, 1, 0, new byte[0], 0, false, -1, false, null))
                .body(body.getBytes(StandardCharsets.UTF_8))
                .build();
    }

    private static Command pull(String group, long offset) {
        return Command.request(RequestCode.PULL_MESSAGE)
                .header(new PullHeader(
                        group, "orders", 0, offset, 1, PullHeader.FLAG_SUBSCRIPTION, 0, 0, "*", 0, null, -1, null))
                .build();
    }

    private static void heartbeat(String group) throws Exception {
        String body = "{\"clientID\":\"honest\",\"consumerDataSet\":[{\"groupName\":\"" + group
                + "\",\"subscriptionDataSet\":[]}],\"producerDataSet\":[]}";
        assertThat(ask(Command.request(RequestCode.HEART_BEAT)
                                .body(body.getBytes(StandardCharsets.UTF_8))
                                .build())
                        .code())
                .isZero();
    }

    private static CompletableFuture<Command> call(Command request) {
        return client.call(address, request, TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
    }

    private static Command ask(Command request) throws Exception {
        return call(request).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    private static Socket connect() throws IOException {
        Socket socket = new Socket("127.0.0.1", broker.address().getPort());
        socket.setSoTimeout((int) TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
        return socket;
    }

    private static Command response(Socket socket) throws Exception {
        DataInputStream in = new DataInputStream(socket.getInputStream());
        return Command.decode(ByteBuffer.wrap(in.readNBytes(in.readInt())));
    }

    /** Reads until the answer with this opaque; false when the connection ends before. */
    private static boolean answered(Socket socket, int opaque) throws Exception {
        DataInputStream in = new DataInputStream(socket.getInputStream());
        while (true) {
            try {
                byte[] frame = in.readNBytes(in.readInt());
                if (Command.decode(ByteBuffer.wrap(frame)).opaque() == opaque) {
                    return true;
                }
            } catch (java.io.EOFException | SocketException closed) {
                return false;
            }
        }
    }
}
