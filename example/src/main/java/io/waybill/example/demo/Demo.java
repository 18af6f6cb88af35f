/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example.demo;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Decision;
import io.waybill.client.MessageQueue;
import io.waybill.client.PullConsumer;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.Replay;
import io.waybill.client.ReplayPreview;
import io.waybill.client.ReplayResult;
import io.waybill.client.StartFrom;
import io.waybill.client.TransactionInspector.Details;
import io.waybill.client.TransactionInspector.TransactionState;
import io.waybill.client.TransactionInspector.TransactionState.Stage;
import io.waybill.client.TransactionReceipt;
import io.waybill.client.WaybillClient;
import io.waybill.client.WaybillException;
import io.waybill.example.OrderDatabase;
import io.waybill.example.OrderStep;
import io.waybill.example.OrderedOrderConsumer;
import io.waybill.example.TransactionalOrderProducer;
import io.waybill.example.TransactionalOrderProducer.Fate;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import java.util.stream.Stream;

/**
 * The main job on real input: orders in transactions, decided by check where the service crashed, consumed in order, timed out by delayed messages,
 * replayed from an instant, and all of it still there after kill -9. Every figure it prints is counted, and every claim is checked against the order
 * service's database or against what consumers got; what does not hold is printed with the orders that differ
 * (ADR 0006).
 *
 * <p>No claim is about speed, and no wait ends while something moves. On a machine where nothing moves because it is busy the demo says so and claims
 * nothing.
 */
public final class Demo {
    /** The exit code when the machine was too slow for a check. */
    public static final int TOO_SLOW = 7;

    /** After how long the demo's broker asks about a transaction first. */
    static final int CHECK_AFTER_MILLIS = 1_000;

    /** With {@code --slow} every so many local transactions last several times as long. */
    private static final int SLOW_ONE_IN = 5;

    private final DemoSettings settings;
    private final PrintStream out;
    private final Claims claims = new Claims();

    /** What the audit group got: stored id -> message. One entry is one visible copy in the log. */
    private final Map<String, ReceivedMessage> audited = new ConcurrentHashMap<>();

    private final AtomicLong auditDeliveries = new AtomicLong();
    private final Set<String> shipped = ConcurrentHashMap.newKeySet();
    private final ConcurrentLinkedQueue<String> outOfOrder = new ConcurrentLinkedQueue<>();
    /** Messages whose half was sent again because its answer was late; each may be stored twice, under its one id. */
    private final Set<String> sentAgain = ConcurrentHashMap.newKeySet();

    private final Patience patience;

    private Demo(DemoSettings settings, PrintStream out, Path work) {
        this.settings = settings;
        this.out = out;
        this.patience = new Patience(work);
    }

    /**
     * Runs it; returns the exit code: 0 = everything held, 1 = something did not, {@link #TOO_SLOW}. However it ends, by Ctrl-C too, no server and no temporary file stays.
     *
     * @throws IOException if the server cannot be started, with the last lines of its log
     */
    public static int run(DemoSettings settings, PrintStream out) throws Exception {
        Path work = settings.data() == null ? Files.createTempDirectory("waybill-demo") : null;
        Path data = settings.data() == null ? work.resolve("data") : settings.data();
        Thread stopped = new Thread(() -> stopped(settings, out, work), "demo-stopped");
        Runtime.getRuntime().addShutdownHook(stopped);
        try {
            return new Demo(settings, out, data.toAbsolutePath().getParent()).run(data);
        } finally {
            try {
                Runtime.getRuntime().removeShutdownHook(stopped);
                removeAll(work);
            } catch (IllegalStateException stopping) {
                stopped.join();
            }
        }
    }

    private static void stopped(DemoSettings settings, PrintStream out, Path work) {
        out.println((settings.terminal() ? "\r\033[K" : "") + "Stopped; no server is left running"
                + (work == null ? "." : ", its data is removed."));
        out.flush();
        System.setErr(new PrintStream(OutputStream.nullOutputStream())); // or every client reports the lost server
        DemoServer.endAll();
        removeAll(work);
        Runtime.getRuntime().halt(130);
    }

    private int run(Path data) throws Exception {
        long started = System.nanoTime();
        try (OrderDatabase database = OrderDatabase.inMemory("demo");
                DemoServer server = DemoServer.start(settings.serverCommand(), data)) {
            out.printf(
                    "Waybill demo. JDK %s, flush=sync, only this machine can connect%n",
                    Runtime.version().feature());
            if (settings.slow()) {
                out.printf(
                        "  slow: one local transaction in %d lasts two to four times as long as the broker waits to ask%n",
                        SLOW_ONE_IN);
            }
            out.printf("  data in %s (%s)%n", data, settings.data() == null ? "temporary" : "kept");
            out.printf("  name server %s   broker %s%n%n", server.namesrv(), server.broker());
            Map<String, Long> kept;
            try (WaybillClient first = WaybillClient.connect(server.namesrv());
                    WaybillClient second = WaybillClient.connect(server.namesrv())) {
                orders(first, second, database);
                new OrderTimeouts(settings, out, patience, claims).run(first);
                replay(first);
                kept = copies(audited.values());
            }
            try (DemoServer again = killAndRestart(server, data, kept)) {
                if (!again.stop()) {
                    patience.requireTime("the server had not stopped two minutes after SIGTERM");
                    claims.require(false, "the server did not stop cleanly on SIGTERM");
                }
            }
        } catch (TooSlow tooSlow) {
            out.println();
            if (claims.hold()) {
                out.println("The machine is too slow for this check: " + tooSlow.getMessage() + ".");
                out.println("What was checked before held; the rest is not known.");
                return TOO_SLOW;
            }
            claims.require(false, "and then the machine was too slow to go on: " + tooSlow.getMessage());
        }
        double seconds = (System.nanoTime() - started) / 1e9;
        out.println();
        if (claims.hold()) {
            out.printf("All of it held.  %.1f s%n", seconds);
            if (settings.data() != null) {
                out.printf("The data is in %s, the server's log lines in %s.%n", data, DemoServer.log(data));
            }
            return 0;
        }
        out.printf("%d of the claims did NOT hold:%n", claims.problems().size());
        claims.problems().forEach(problem -> out.println("  " + problem));
        return 1;
    }

    private void orders(WaybillClient first, WaybillClient second, OrderDatabase database) throws Exception {
        patience.answered("creating a topic", () -> {
            first.admin().topics().create("orders", 4);
            return null;
        });
        OrderedOrderConsumer.Observer observer = (order, step, inOrder) -> {
            if (!inOrder) {
                outOfOrder.add(order + " " + step);
            }
            shipped.add(order + " " + step);
        };
        try (PushConsumer auditOne = audit(first);
                PushConsumer auditTwo = audit(second);
                OrderedOrderConsumer shippingOne = new OrderedOrderConsumer(first, "shipping", database, observer);
                OrderedOrderConsumer shippingTwo = new OrderedOrderConsumer(second, "shipping", database, observer)) {
            await(
                    "each member to own its share of the queues",
                    () -> auditOne.assignment().hashCode()
                            + auditTwo.assignment().hashCode()
                            + 31L * shippingOne.ownedQueues()
                            + 37L * shippingTwo.ownedQueues(),
                    () -> ownsHalf(auditOne)
                            && ownsHalf(auditTwo)
                            && shippingOne.ownedQueues() == 2
                            && shippingTwo.ownedQueues() == 2);
            placeOrders(first, second, database);
            awaitDelivery(database);
        }
    }

    private void placeOrders(WaybillClient first, WaybillClient second, OrderDatabase database) throws Exception {
        out.printf("1 Orders inside transactions           4 queues, 2 producers, 8 threads%n");
        Placed placed = new Placed();
        ProgressLine progress = new ProgressLine(out, settings.terminal(), settings.orders());
        ExecutorService threads = Executors.newFixedThreadPool(8);
        TransactionalOrderProducer.Payment payment = order -> charge(placed);
        try (TransactionalOrderProducer one = new TransactionalOrderProducer(first, database, payment);
                TransactionalOrderProducer two = new TransactionalOrderProducer(second, database, payment)) {
            List<Future<?>> work = new ArrayList<>();
            for (int i = 0; i < settings.orders(); i++) {
                int number = i;
                work.add(threads.submit(() -> {
                    placeOrder(number % 2 == 0 ? one : two, first, number, placed);
                    return null;
                }));
            }
            for (Future<?> order : work) {
                while (!isDone(order)) {
                    progress.show(placed.orders.get());
                }
            }
            progress.end(String.format(
                    "sent %,d messages of %,d orders: %,d committed, %,d rolled back, %,d open",
                    placed.sent.get(),
                    placed.orders.get(),
                    placed.committed.get(),
                    placed.rolledBack.get(),
                    placed.open.size()));
            if (settings.slow()) {
                out.printf(
                        "  %,d local transactions lasted longer than the broker waits; %,d were too late and were done anew%n",
                        placed.slow.get(), placed.tooLate.get());
            } else if (placed.tooLate.get() > 0) {
                out.printf("  %,d more were too late for a check and were done anew%n", placed.tooLate.get());
            }
            decideByCheck(first, database, placed.open);
        } finally {
            threads.shutdown();
        }
    }

    /** Counted while orders are placed. */
    private static final class Placed {
        final AtomicInteger orders = new AtomicInteger();
        final AtomicInteger sent = new AtomicInteger();
        final AtomicInteger committed = new AtomicInteger();
        final AtomicInteger rolledBack = new AtomicInteger();
        final AtomicInteger charged = new AtomicInteger();
        final AtomicInteger slow = new AtomicInteger();
        /** A check had decided ROLLBACK before the local transaction began. */
        final AtomicInteger tooLate = new AtomicInteger();

        /** Message id -> order. */
        final Map<String, String> open = new ConcurrentHashMap<>();
    }

    /** The part of the local transaction that may be slow. */
    private void charge(Placed placed) {
        int number = placed.charged.incrementAndGet();
        if (settings.slow() && number % SLOW_ONE_IN == 0) {
            placed.slow.incrementAndGet();
            try {
                TimeUnit.MILLISECONDS.sleep(CHECK_AFTER_MILLIS * (2L + number % 3));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void placeOrder(TransactionalOrderProducer producer, WaybillClient client, int number, Placed placed)
            throws Exception {
        String order = String.format("order-%05d", number);
        Fate fate = fateOf(number);
        for (OrderStep step : OrderStep.values()) {
            TransactionReceipt receipt = patience.answered("a send", () -> producer.handle(order, step, fate));
            while (fate == Fate.COMMIT && receipt.decision() == Decision.ROLLBACK) {
                placed.tooLate.incrementAndGet(); // nothing was recorded, so it is done anew
                receipt = patience.answered("a send", () -> producer.handle(order, step, fate));
            }
            placed.sent.incrementAndGet();
            if (receipt.half().mayBeDuplicated()) {
                sentAgain.add(order + " " + step);
            }
            switch (receipt.decision()) {
                case COMMIT -> placed.committed.incrementAndGet();
                case ROLLBACK -> placed.rolledBack.incrementAndGet();
                case UNKNOWN -> placed.open.put(receipt.messageId(), order);
            }
            if (fate != Fate.COMMIT) {
                break;
            }
            if (!receipt.decided()) { // the broker asks for it; the next step comes behind this one only then
                awaitDecided(client, receipt.messageId());
            }
        }
        placed.orders.incrementAndGet();
    }

    private void awaitDecided(WaybillClient client, String messageId) throws Exception {
        AtomicReference<Stage> seen = new AtomicReference<>(Stage.OPEN);
        await(
                "the broker to decide " + messageId,
                () -> seen.get().ordinal(),
                () -> seen.updateAndGet(before -> stageOf(client, messageId)) != Stage.OPEN);
    }

    private Stage stageOf(WaybillClient client, String messageId) {
        try {
            return client.admin()
                    .transactions()
                    .find(messageId)
                    .map(Details::state)
                    .map(TransactionState::stage)
                    .orElse(Stage.OPEN);
        } catch (WaybillException notNow) {
            return Stage.OPEN;
        }
    }

    /** Of twenty orders sixteen are fine, two are declined, and for two the service crashes after or before its own commit. */
    private static Fate fateOf(int number) {
        return switch (number % 20) {
            case 16, 17 -> Fate.ROLL_BACK;
            case 18 -> Fate.CRASH_AFTER_COMMIT;
            case 19 -> Fate.CRASH_BEFORE_COMMIT;
            default -> Fate.COMMIT;
        };
    }

    private void decideByCheck(WaybillClient client, OrderDatabase database, Map<String, String> open)
            throws Exception {
        out.printf("2 The broker asks about the open ones  answered from the service's database%n");
        ProgressLine progress = new ProgressLine(out, settings.terminal(), open.size());
        AtomicInteger left = new AtomicInteger(open.size());
        patience.await(
                "the broker to ask about " + open.size() + " transactions",
                left::get,
                () -> {
                    try {
                        left.set(client.admin()
                                .transactions()
                                .list(settings.orders() * 3)
                                .size());
                    } catch (WaybillException notNow) {
                        return false;
                    }
                    return left.get() == 0;
                },
                moved -> progress.show(Math.max(0, open.size() - moved)));
        Set<String> committed = new TreeSet<>();
        Set<String> rolledBack = new TreeSet<>();
        Set<String> recorded = new TreeSet<>();
        Set<String> unrecorded = new TreeSet<>();
        for (Map.Entry<String, String> asked : open.entrySet()) {
            (database.isRecorded(asked.getKey()) ? recorded : unrecorded).add(asked.getValue());
            switch (patience.answered(
                    "what became of a transaction",
                    () -> client.admin()
                            .transactions()
                            .find(asked.getKey())
                            .map(Details::state)
                            .orElseThrow()
                            .stage())) {
                case COMMITTED -> committed.add(asked.getValue());
                case ROLLED_BACK -> rolledBack.add(asked.getValue());
                default -> {} // still open, or given up: missing from both
            }
        }
        progress.end(String.format(
                "%,d decided by check-back: %,d commit, %,d roll back",
                committed.size() + rolledBack.size(), committed.size(), rolledBack.size()));
        claims.require(left.get() == 0, left + " transactions are still open, and nothing moves");
        claims.compare("committed by check-back", recorded, committed);
        claims.compare("rolled back by check-back", unrecorded, rolledBack);
        Set<String> crashed = new TreeSet<>();
        for (int i = 0; i < settings.orders(); i++) {
            if (fateOf(i) == Fate.CRASH_AFTER_COMMIT || fateOf(i) == Fate.CRASH_BEFORE_COMMIT) {
                crashed.add(String.format("order-%05d", i));
            }
        }
        claims.compare("left open", crashed, new TreeSet<>(open.values()));
    }

    private void awaitDelivery(OrderDatabase database) throws Exception {
        out.printf("3 Consumed in order, per order         2 groups of 2 members, one ordered%n");
        Set<String> expected = database.recorded();
        ProgressLine progress = new ProgressLine(out, settings.terminal(), expected.size());
        patience.await(
                "the consumers to get what is committed",
                () -> shipped.size() + (long) audited.size(),
                () -> shipped.containsAll(expected)
                        && copies(audited.values()).keySet().containsAll(expected),
                moved -> progress.show(shipped.size()));
        Map<String, Long> copies = copies(audited.values());
        long twice = copies.entrySet().stream()
                .filter(copy -> copy.getValue() > 1 && !sentAgain.contains(copy.getKey()))
                .count();
        progress.end(String.format(
                "%,d delivered, %,d committed in the database; out of order %d, twice %d",
                copies.size(), expected.size(), outOfOrder.size(), twice));
        if (!sentAgain.isEmpty()) {
            out.printf(
                    "  %,d were sent again because an answer was late: a second copy of these is not judged%n",
                    sentAgain.size());
        }
        claims.compare("audit delivered", expected, copies.keySet());
        claims.compare("shipping delivered", expected, shipped);
        claims.require(outOfOrder.isEmpty(), "out of order: " + Claims.first(outOfOrder));
        claims.require(twice == 0, twice + " messages are stored twice");
    }

    private void replay(WaybillClient client) throws Exception {
        List<ReceivedMessage> byTime = audited.values().stream()
                .sorted(Comparator.comparing(
                        (ReceivedMessage message) -> message.delivery().storedAt()))
                .toList();
        Instant since = byTime.get(byTime.size() / 2).delivery().storedAt();
        out.printf("5 Replay orders since %s%n", since);
        Set<String> expected = new TreeSet<>();
        byTime.stream()
                .filter(message -> !message.delivery().storedAt().isBefore(since))
                .forEach(message -> expected.add(message.delivery().storedId()));
        long before = auditDeliveries.get();
        Set<String> replayed = new TreeSet<>();
        Replay replay = client.replay("orders").from(since).into("demo-replay").rate(2_000);
        ReplayPreview preview = patience.answered("a replay's preview", replay::preview);
        ProgressLine progress = new ProgressLine(out, settings.terminal(), preview.count());
        AtomicInteger runs = new AtomicInteger();
        ReplayResult result = patience.answered("a replay", () -> {
            runs.incrementAndGet(); // one that broke goes on where it stopped
            return replay.run(message -> {
                replayed.add(message.delivery().storedId());
                progress.show(replayed.size());
            });
        });
        progress.end(String.format(
                "%,d replayed to a side group, in the log %,d, preview %,d; others got %d",
                replayed.size(), expected.size(), preview.count(), auditDeliveries.get() - before));
        claims.compare("replayed", expected, replayed);
        claims.require(
                preview.count() == expected.size(),
                "preview: expected " + expected.size() + ", found " + preview.count());
        claims.require(
                result.handled() == expected.size() || runs.get() > 1,
                "replayed: expected " + expected.size() + ", found " + result.handled());
        claims.require(auditDeliveries.get() == before, "the audit group got messages from the replay");
    }

    private DemoServer killAndRestart(DemoServer server, Path data, Map<String, Long> kept) throws Exception {
        out.printf("6 kill -9, start again%n");
        server.killNine();
        DemoServer again = server.restart(settings.serverCommand(), data);
        Map<String, ReceivedMessage> found = new HashMap<>();
        try (WaybillClient client = WaybillClient.connect(again.namesrv());
                PullConsumer reader = client.pullConsumer("demo-after-kill")
                        .from(StartFrom.FIRST)
                        .build()) {
            patience.answered("what queues there are", () -> {
                reader.assign("orders");
                return null;
            });
            long total = 0;
            for (MessageQueue queue : reader.assignment()) {
                total += patience.answered(
                        "how long a queue is",
                        () -> reader.positions().maxOffset(queue)
                                - reader.positions().minOffset(queue));
            }
            long all = total;
            ProgressLine progress = new ProgressLine(out, settings.terminal(), total);
            patience.await(
                    "the messages after the kill",
                    found::size,
                    () -> {
                        try {
                            reader.poll(Duration.ofSeconds(1))
                                    .forEach(message ->
                                            found.put(message.delivery().storedId(), message));
                        } catch (WaybillException notNow) {
                            return false;
                        }
                        return found.size() >= all;
                    },
                    progress::show);
            progress.end(String.format(
                    "%,d of %,d still there, ready again after %,d ms",
                    found.size(),
                    kept.values().stream().mapToLong(Long::longValue).sum(),
                    again.startMillis()));
        }
        claims.compare("after kill -9", kept.keySet(), copies(found.values()).keySet());
        return again;
    }

    private PushConsumer audit(WaybillClient client) {
        return client.pushConsumer("audit")
                .subscribe("orders")
                .from(StartFrom.FIRST)
                .onMessage(message -> {
                    auditDeliveries.incrementAndGet();
                    audited.put(message.delivery().storedId(), message);
                    return ConsumeResult.SUCCESS;
                })
                .start();
    }

    private static boolean ownsHalf(PushConsumer consumer) {
        return consumer.assignment().stream()
                        .filter(queue -> queue.topic().equals("orders"))
                        .count()
                == 2;
    }

    /** "order step" -> how many copies of it are in the log. */
    private static Map<String, Long> copies(Collection<ReceivedMessage> messages) {
        Map<String, Long> copies = new TreeMap<>();
        messages.forEach(message -> copies.merge(message.text(), 1L, Long::sum));
        return copies;
    }

    private void await(String what, LongSupplier moved, BooleanSupplier condition)
            throws InterruptedException, TooSlow {
        claims.require(
                patience.await(what, moved, condition, shown -> {}),
                "nothing moved any more while it waited for " + what);
    }

    private static boolean isDone(Future<?> future) throws Exception {
        try {
            future.get(100, TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException notYet) {
            return false;
        } catch (ExecutionException failed) {
            throw failed.getCause() instanceof Exception cause ? cause : failed;
        }
    }

    private static void removeAll(Path directory) {
        if (directory == null) {
            return;
        }
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove the temporary directory " + directory, e);
        }
    }
}
