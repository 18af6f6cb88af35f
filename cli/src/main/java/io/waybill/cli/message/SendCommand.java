/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.message;

import io.waybill.cli.terminal.Cluster;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Progress;
import io.waybill.cli.terminal.Times;
import io.waybill.cli.terminal.WhenStopped;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.SendReceipt;
import io.waybill.client.WaybillClient;
import io.waybill.client.WaybillException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Sends messages. */
@Command(
        name = "send",
        description = {
            "Sends a message and prints where it was stored.",
            "Without BODY it is read from standard input: as a whole, or with --lines one message for each line."
        },
        footer = {
            "",
            "Example: waybill send orders 'order 1 created' --tag CREATED --key order-1 --ordering-key order-1",
            "         waybill send order-timeouts 'cancel order 1' --delay 30m --key order-1 --unless-topic orders"
                    + " --unless-key order-1 --unless-tag PAID",
            "         waybill send orders 'order {n}' --count 10000"
        })
public final class SendCommand implements Callable<Integer> {
    private static final int IN_FLIGHT = 256;

    @Parameters(index = "0", paramLabel = "TOPIC", description = "Where to.")
    private String topic;

    @Parameters(index = "1", arity = "0..1", paramLabel = "BODY", description = "The content, as UTF-8.")
    private String body;

    @Option(names = "--tag", paramLabel = "TAG", description = "What consumers filter by.")
    private String tag;

    @Option(names = "--key", paramLabel = "KEY", description = "Business key to find it by; repeatable.")
    private List<String> keys = new ArrayList<>();

    @Option(
            names = {"-p", "--property"},
            paramLabel = "NAME=VALUE",
            description = "Property of your own; repeatable.")
    private Map<String, String> properties = new LinkedHashMap<>();

    @Option(names = "--ordering-key", paramLabel = "KEY", description = "Messages of equal key stay in order.")
    private String orderingKey;

    @Option(names = "--delay", paramLabel = "TIME", description = "Deliver so long after now: 500ms, 10s, 5m, 2h, 3d.")
    private String delay;

    @Option(
            names = "--at",
            paramLabel = "TIME",
            description = "Deliver then: 2026-11-22T12:00:00Z, or milliseconds since 1970.")
    private String at;

    @Option(names = "--priority", paramLabel = "N", description = "0 to 9 and up; for topics of type PRIORITY.")
    private Integer priority;

    @Option(
            names = "--dedup-key",
            paramLabel = "KEY",
            description = "In a topic with de-duplication: stored once for each key.")
    private String dedupKey;

    @Option(
            names = "--unless-key",
            paramLabel = "KEY",
            description = "Do not deliver it when due if a message with this business key came meanwhile.")
    private String unlessKey;

    @Option(
            names = "--unless-topic",
            paramLabel = "TOPIC",
            description = "With --unless-key: on this topic (default: TOPIC).")
    private String unlessTopic;

    @Option(names = "--unless-tag", paramLabel = "TAG", description = "With --unless-key: only with this tag.")
    private String unlessTag;

    @Option(names = "--lines", description = "Every line of standard input is a message.")
    private boolean lines;

    @Option(
            names = "--count",
            paramLabel = "N",
            description = "Send BODY so many times, {n} in it replaced by 1, 2, 3 ...; prints only a summary.")
    private Long count;

    @Option(
            names = "--group",
            paramLabel = "GROUP",
            defaultValue = "waybill-cli",
            description = "Producer group (default: ${DEFAULT-VALUE}).")
    private String group;

    @Mixin
    private Cluster cluster;

    @Mixin
    private Output output;

    @Override
    public Integer call() throws IOException {
        if (lines && body != null) {
            throw new Failure(ExitCode.USAGE, "--lines reads standard input; leave BODY out");
        }
        if (count != null && (lines || body == null || count < 1)) {
            throw new Failure(ExitCode.USAGE, "--count must be at least 1 and needs BODY, without --lines");
        }
        if (delay != null && at != null) {
            throw new Failure(ExitCode.USAGE, "give --delay or --at, not both");
        }
        if (unlessKey == null && (unlessTopic != null || unlessTag != null)) {
            throw new Failure(ExitCode.USAGE, "--unless-topic and --unless-tag need --unless-key");
        }
        if (unlessKey != null && delay == null && at == null) {
            throw new Failure(ExitCode.USAGE, "--unless-key needs --delay or --at");
        }
        Instant deliverAt;
        Duration deliverAfter;
        try {
            deliverAt = at == null ? null : Times.instant(at, Instant.now(), ZoneId.systemDefault());
            deliverAfter = delay == null ? null : Times.duration(delay);
        } catch (IllegalArgumentException e) {
            throw new Failure(ExitCode.USAGE, e.getMessage());
        }
        try (WaybillClient client = cluster.connect();
                Producer producer = client.producer(group).build()) {
            if (count != null) {
                return sendMany(producer, deliverAt, deliverAfter);
            }
            if (!lines) {
                byte[] bytes = body == null ? System.in.readAllBytes() : body.getBytes(StandardCharsets.UTF_8);
                output.one(row(producer.send(message(bytes, deliverAt, deliverAfter))));
                return ExitCode.DONE;
            }
            InputStream input = new BufferedInputStream(System.in);
            AtomicLong sent = new AtomicLong();
            try (WhenStopped stopped = WhenStopped.say(() -> Output.counted(sent.get(), "line") + " stored")) {
                for (byte[] line = line(input); line != null; line = line(input)) {
                    if (line.length > 0) {
                        SendReceipt receipt = producer.send(message(line, deliverAt, deliverAfter));
                        sent.incrementAndGet();
                        output.item(
                                receipt.messageId() + "  " + receipt.queue() + "  " + receipt.offset(), row(receipt));
                    }
                }
            }
            output.note(Output.counted(sent.get(), "message") + " sent");
            return ExitCode.DONE;
        }
    }

    /** The bytes up to the next line end, as they are: what is no UTF-8 must arrive too. Null at the end. */
    private static byte[] line(InputStream input) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        int next = input.read();
        if (next < 0) {
            return null;
        }
        for (; next >= 0 && next != '\n'; next = input.read()) {
            line.write(next);
        }
        byte[] bytes = line.toByteArray();
        boolean carriageReturn = bytes.length > 0 && bytes[bytes.length - 1] == '\r';
        return carriageReturn ? Arrays.copyOf(bytes, bytes.length - 1) : bytes;
    }

    private int sendMany(Producer producer, Instant deliverAt, Duration deliverAfter) {
        // One at a time where the order counts.
        int most = orderingKey == null ? IN_FLIGHT : 1;
        Semaphore free = new Semaphore(most);
        AtomicLong stored = new AtomicLong();
        AtomicReference<WaybillException> refused = new AtomicReference<>();
        long started = System.nanoTime();
        AtomicLong begun = new AtomicLong();
        try (Progress progress = new Progress(count, false);
                WhenStopped stopped = WhenStopped.say(() -> String.format(
                        "%,d of %,d messages are stored, %,d more were on their way and may be",
                        stored.get(), count, begun.get() - stored.get()))) {
            for (long n = 1; n <= count && refused.get() == null; n++) {
                byte[] bytes = body.replace("{n}", Long.toString(n)).getBytes(StandardCharsets.UTF_8);
                free.acquireUninterruptibly();
                begun.incrementAndGet();
                producer.sendAsync(message(bytes, deliverAt, deliverAfter)).whenComplete((receipt, failure) -> {
                    if (failure == null) {
                        stored.incrementAndGet();
                    } else {
                        refused.compareAndSet(null, reason(failure));
                    }
                    free.release();
                });
                progress.show(stored.get());
            }
            free.acquireUninterruptibly(most);
        }
        double seconds = (System.nanoTime() - started) / 1e9;
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("topic", topic);
        row.put("sent", stored.get());
        row.put("seconds", Math.round(seconds * 1000) / 1000.0);
        row.put("perSecond", Math.round(stored.get() / seconds));
        output.one(row);
        if (refused.get() != null) {
            throw refused.get();
        }
        return ExitCode.DONE;
    }

    private static WaybillException reason(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof WaybillException known) {
                return known;
            }
        }
        throw new IllegalStateException("a send must fail in a known way", failure);
    }

    private Message message(byte[] bytes, Instant deliverAt, Duration deliverAfter) {
        Message.Builder message = Message.to(topic).body(bytes);
        if (tag != null) {
            message.tag(tag);
        }
        keys.forEach(message::key);
        properties.forEach(message::property);
        if (orderingKey != null) {
            message.orderingKey(orderingKey);
        }
        if (deliverAt != null) {
            message.deliverAt(deliverAt);
        }
        if (deliverAfter != null) {
            message.deliverAfter(deliverAfter);
        }
        if (priority != null) {
            message.priority(priority);
        }
        if (dedupKey != null) {
            message.dedupKey(dedupKey);
        }
        if (unlessKey != null) {
            message.unless(unlessTopic == null ? topic : unlessTopic, unlessKey, unlessTag);
        }
        return message.build();
    }

    private static Map<String, Object> row(SendReceipt receipt) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("messageId", receipt.messageId());
        row.put("storedId", receipt.storedId());
        row.put("topic", receipt.queue().topic());
        row.put("broker", receipt.queue().broker());
        row.put("queue", receipt.queue().id());
        row.put("offset", receipt.offset());
        row.put("durability", receipt.durability().toString());
        if (receipt.duplicate()) {
            row.put("duplicate", true);
        }
        if (receipt.recallHandle() != null) {
            row.put("recallHandle", receipt.recallHandle());
        }
        return row;
    }
}
