/* SPDX-License-Identifier: Apache-2.0 */
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Attacks the real server process, row by row, and checks after each attack what must hold. A row passes only with evidence
 * that its fault really happened; without any it is void. Started by the script beside it, which knows what it needs.
 *
 * <p>Rows and their names: FAULTS.md, sections 2 and 4 (S4, S5, S8, S9, S11 to S14, T1, T2, X1, X7).
 */
public final class Faults {
    static final Path WORK = Path.of(System.getProperty("faults.work"));
    static final Path HOME = Path.of(System.getProperty("faults.home"));
    static final int CYCLES = Integer.getInteger("faults.cycles", 10);
    static final long SEED = Long.getLong("faults.seed", System.nanoTime());
    static final String HALF_SETTINGS = "transactionTimeoutMillis=10000";
    static final ThreadLocal<Row> ROW = new ThreadLocal<>();

    /** What a row found. */
    static final class Row {
        final String name;
        final List<String> wrong = new ArrayList<>();
        final Map<String, Object> figures = new LinkedHashMap<>();
        final Deadline deadline;
        String skipped;
        long evidence;

        Row(String name, int seconds) {
            this.name = name;
            this.deadline = new Deadline(seconds);
        }

        void wrong(String text) {
            System.out.println("    WRONG: " + text);
            wrong.add(text);
        }

        void figure(String key, Object value) {
            System.out.println("    " + key + " = " + value);
            figures.put(key, value);
        }

        void expect(boolean holds, String otherwise) {
            if (!holds) {
                wrong(otherwise);
            }
        }
    }

    record Deadline(long nanos) {
        Deadline(int seconds) {
            this(System.nanoTime() + seconds * 1_000_000_000L);
        }

        boolean passed() {
            return System.nanoTime() - nanos > 0;
        }
    }

    interface Body {
        void run(Row row) throws Exception;
    }

    record Plan(int seconds, Body body) {}

    public static void main(String[] args) throws Exception {
        Map<String, Plan> plans = new LinkedHashMap<>();
        plans.put("power-sync", new Plan(240, row -> power(row, "sync")));
        plans.put("power-async", new Plan(240, row -> power(row, "async")));
        plans.put("eio-fdatasync", new Plan(120, row -> eio(row, "fdatasync")));
        plans.put("eio-pwrite", new Plan(120, row -> eio(row, "pwrite64")));
        plans.put("eio-read-only", new Plan(120, row -> eio(row, "read-only")));
        plans.put("disk-full", new Plan(150, row -> diskFull(row, false)));
        plans.put("disk-full-tmpfs", new Plan(150, row -> diskFull(row, true)));
        plans.put("slow-force", new Plan(90, Faults::slowForce));
        plans.put("pause", new Plan(180, Faults::pause));
        plans.put("flips", new Plan(300, Faults::flips));
        plans.put("flips-killed", new Plan(180, Faults::flipsKilled));
        plans.put("missing", new Plan(90, Faults::missing));
        plans.put("clock", new Plan(180, Faults::clock));
        plans.put("sigterm", new Plan(120, Faults::sigterm));
        plans.put("big-kill", new Plan(180, Faults::bigKill));
        plans.put("memory", new Plan(300, Faults::memory));
        plans.put("hostile", new Plan(120, Faults::hostile));
        plans.put("byte-cost", new Plan(240, Faults::byteCost));
        plans.put("newer", new Plan(90, Faults::newer));
        plans.put("views-damage", new Plan(180, Faults::viewsDamage));
        plans.put("dedup-clock", new Plan(120, Faults::dedupClock));
        List<String> wanted = args.length == 0 ? new ArrayList<>(plans.keySet()) : List.of(args);
        List<Row> rows = new ArrayList<>();
        for (String name : wanted) {
            Plan plan = plans.get(name);
            if (plan == null) {
                System.out.println("no row " + name + "; there are " + plans.keySet());
                System.exit(2);
            }
            Row row = new Row(name, plan.seconds);
            rows.add(row);
            run(row, plan);
        }
        System.exit(print(rows) ? 0 : 1);
    }

    private static void run(Row row, Plan plan) throws Exception {
        System.out.println("== " + row.name + " (at most " + plan.seconds + " s)");
        long began = System.nanoTime();
        Thread runner = new Thread(() -> {
            ROW.set(row);
            try {
                plan.body.run(row);
            } catch (Skip skip) {
                row.skipped = skip.getMessage();
            } catch (Throwable e) {
                row.wrong("the row ended with " + e);
                e.printStackTrace(System.out);
            } finally {
                Server.killAll();
                Disk.removeAll();
            }
        });
        runner.start();
        runner.join(plan.seconds * 1000L);
        if (runner.isAlive()) {
            row.wrong("the row did not end within " + plan.seconds + " s");
            for (StackTraceElement at : runner.getStackTrace()) {
                System.out.println("      at " + at);
            }
            Server.killAll();
            runner.interrupt();
            runner.join(20_000);
        }
        row.figure("seconds", (System.nanoTime() - began) / 1_000_000_000);
    }

    private static boolean print(List<Row> rows) {
        System.out.printf("%n%-16s %-6s %8s  %s%n", "ROW", "RESULT", "EVIDENCE", "FIGURES");
        boolean good = true;
        for (Row row : rows) {
            String result = row.skipped != null ? "SKIP" : !row.wrong.isEmpty() ? "FAIL" : row.evidence == 0 ? "VOID" : "pass";
            good &= result.equals("pass") || result.equals("SKIP");
            String figures = row.figures.entrySet().stream()
                    .map(e -> e.getKey() + "=" + e.getValue())
                    .collect(Collectors.joining(", "));
            System.out.printf("%-16s %-6s %8d  %s%n", row.name, result, row.evidence, figures);
            if (row.skipped != null) {
                System.out.println("                 skipped: " + row.skipped);
            }
            row.wrong.forEach(text -> System.out.println("                 - " + text));
        }
        System.out.println("seed " + SEED + ", load average " + text(Path.of("/proc/loadavg")).trim());
        return good;
    }

    static final class Skip extends RuntimeException {
        Skip(String why) {
            super(why);
        }
    }

    // ------------------------------------------------------------------------------------------------ rows

    /** S4 and S5: the file system is shut down under load without a flush of its journal, then mounted again. */
    static void power(Row row, String flush) throws Exception {
        Disk disk = Disk.ext4("power", 768);
        Random chance = new Random(SEED);
        Server server = Server.at(disk.path("store")).flush(flush).set("segmentBytes=4194304").start();
        Load load = new Load(server);
        load.start();
        long lostInAll = 0;
        long worstWindow = 0;
        int cycles = 0;
        for (; cycles < CYCLES && !row.deadline.passed(); cycles++) {
            // Small frames within one segment, and large ones that fill one after the other.
            load.bodyBytes = cycles % 2 == 0 ? 300 : 20_000;
            int before = load.acks.size();
            await("sends to be acknowledged", 20, () -> load.acks.size() >= before + 200);
            Thread.sleep(chance.nextInt(900));
            long cut = System.nanoTime();
            disk.cutPower();
            if (disk.isDead()) {
                row.evidence++;
            }
            Thread.sleep(100);
            server.kill();
            load.pause();
            disk.remount();
            check(row, server.check().isSound(true), "after cut " + cycles + " store check says " + server.checkText);
            server = server.start();
            Checker found = new Checker(load, server);
            if (flush.equals("sync")) {
                found.check(row, "cut " + cycles);
            } else {
                Lost lost = found.takeLost(cut);
                lostInAll += lost.count;
                worstWindow = Math.max(worstWindow, lost.windowMillis);
                row.expect(lost.isSuffix, "cut " + cycles + ": what survived is no prefix");
                found.check(row, "cut " + cycles);
            }
            load.resume();
        }
        row.expect(cycles >= CYCLES, "only " + cycles + " cycles");
        row.figure("cuts", row.evidence);
        if (flush.equals("async")) {
            row.figure("lostInWindow", lostInAll);
            row.figure("worstWindowMillis", worstWindow);
            row.expect(worstWindow <= 500, "the loss window is larger than the interval of 200 ms + 300 ms");
        }
        finish(row, load, server, flush.equals("sync"));
    }

    /** S11: one call fails, the next would succeed. */
    static void eio(Row row, String what) throws Exception {
        Disk disk = Disk.ext4("eio", 512);
        Server server = Server.at(disk.path("store")).set("segmentBytes=8388608").start();
        Load load = new Load(server);
        load.start();
        await("sends to be acknowledged", 20, () -> load.acks.size() >= 300);
        Strace strace = null;
        long failedAt;
        if (what.equals("read-only")) {
            failedAt = System.currentTimeMillis();
            disk.abort();
        } else if (what.equals("fdatasync")) {
            strace = Strace.thread(server.pid, "log-flusher", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=5");
            failedAt = strace.awaitInjection();
        } else {
            strace = Strace.process(server.pid, disk.path("store/log"), "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=EIO:when=20");
            failedAt = strace.awaitInjection();
        }
        await("the freeze to be told", 10, () -> load.firstError(failedAt) != null);
        Load.Failure first = load.firstError(failedAt);
        row.figure("clearAnswerAfterMillis", first.wallMillis - failedAt);
        row.figure("answer", first.text);
        row.expect(first.wallMillis - failedAt <= 1000, "the first clear answer came after more than 1 s");
        row.expect(first.text.contains("no longer takes writes"), "the answer does not say what happened: " + first.text);
        Thread.sleep(2000);
        long late = load.acks.values().stream().filter(a -> a.wallMillis > failedAt + 150).count();
        row.expect(late == 0, late + " acknowledgements later than 150 ms after the failed call");
        if (what.equals("read-only")) {
            row.evidence += disk.isDead() ? 1 : 0;
        } else {
            row.evidence += strace.injections();
            strace.close();
        }
        row.figure("acksAfterError", late);
        load.pause();
        // A supervisor starts it again: the process leaves the name servers and ends with a code of its own.
        boolean ended = server.process.waitFor(30, TimeUnit.SECONDS);
        row.expect(ended, "the process of a frozen store is still there after 30 s");
        if (!ended) {
            server.kill();
        }
        row.figure("exitCodeWhenFrozen", server.process.exitValue());
        row.expect(server.process.exitValue() == 6, "a frozen store ended with " + server.process.exitValue() + " instead of 6");
        if (what.equals("read-only")) {
            disk.remount();
        }
        server = server.start();
        new Checker(load, server).check(row, "after the restart");
        load.resume();
        int before = load.acks.size();
        await("sends after the restart", 20, () -> load.acks.size() >= before + 100);
        finish(row, load, server, true);
    }

    /** S12: the disk fills up, and gets room again. */
    static void diskFull(Row row, boolean tmpfs) throws Exception {
        Disk disk = tmpfs ? Disk.tmpfs("full", 256) : Disk.ext4("full", 256);
        Server server = Server.at(disk.path("store"))
                .set("segmentBytes=8388608")
                .set("freeDiskFloorBytes=0")
                .start();
        Load load = new Load(server);
        load.bodyBytes = 16_384;
        // Known to the broker, and so allowed to commit, from its first heartbeat on.
        DefaultMQPullConsumer committer = load.pullConsumer(server.namesrv(), "committer");
        committer.minOffset(committer.fetchSubscribeMessageQueues(Load.ORDERS).iterator().next());
        load.start();
        await("sends to be acknowledged", 20, () -> load.acks.size() >= 200);
        Path ballast = disk.path("ballast");
        run("fallocate", "-l", String.valueOf(Math.max(1, disk.usable() - (20 << 20))), ballast.toString());
        await("the disk to be full", 60, () -> load.failuresWith("disk of this broker is full") > 20);
        row.evidence = load.failuresWith("disk of this broker is full");
        row.figure("answer", load.lastError().text);
        row.figure("usableBytes", disk.usable());
        Thread.sleep(3000);
        row.expect(server.isAlive(), "the server ended on a full disk");
        // Consuming, committing and deciding still work.
        new Checker(load, server).check(row, "full");
        String decided = load.decideOne();
        row.expect(decided == null, "with a full disk " + decided);
        String committed = load.commitOffset();
        row.expect(committed == null, "with a full disk " + committed);
        row.expect(load.consumerCaughtUp(), "the consumer did not catch up while the disk was full");
        long again = System.nanoTime();
        int before = load.acks.size();
        Files.delete(ballast);
        await("sends to be taken again", 30, () -> load.acks.size() > before + 20);
        long resumed = (System.nanoTime() - again) / 1_000_000;
        row.figure("resumedAfterMillis", resumed);
        row.expect(resumed <= 10_000, "sends were taken again only after " + resumed + " ms");
        load.bodyBytes = 300;
        finish(row, load, server, true);
    }

    /** S13: each force takes 200 ms longer. */
    static void slowForce(Row row) throws Exception {
        Path data = directory("slow");
        Server server = Server.at(data).start();
        Load load = new Load(server);
        load.start();
        await("sends to be acknowledged", 20, () -> load.acks.size() >= 300);
        int errorsBefore = load.failures.size();
        Strace strace =
                Strace.thread(server.pid, "log-flusher", "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=200000");
        int from = load.acks.size();
        int noRoute = 0;
        long began = System.nanoTime();
        load.latencies.clear();
        load.deliveryMillis.clear();
        for (int i = 0; i < 25; i++) {
            Thread.sleep(1000);
            noRoute += load.hasRoute() ? 0 : 1;
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        int sent = load.acks.size() - from;
        row.evidence = strace.injections();
        row.figure("acksPerSecond", Math.round(sent / seconds));
        row.figure("ackMillis p50/p99", percentile(load.latencies, 50) + "/" + percentile(load.latencies, 99));
        row.figure("deliveryMillis p50/p99", percentile(load.deliveryMillis, 50) + "/" + percentile(load.deliveryMillis, 99));
        row.figure("failedSends", load.failures.size() - errorsBefore);
        row.expect(load.failures.size() == errorsBefore, "sends failed on a slow disk: " + load.lastErrorText());
        long tooQuick = load.latencies.stream().filter(m -> m < 190).count();
        // The first ones may have been on their way before the delay began.
        row.expect(tooQuick <= 10, tooQuick + " sends acknowledged sooner than one force takes");
        row.expect(noRoute == 0, "the route was gone " + noRoute + " times");
        row.expect(load.consumerCaughtUp(), "the consumer fell behind");
        strace.close();
        finish(row, load, server, true);
    }

    /** T2: the whole server stands still. */
    static void pause(Row row) throws Exception {
        Server server = Server.at(directory("pause")).start();
        Load load = new Load(server);
        load.start();
        for (int seconds : new int[] {1, 5, 30}) {
            int before = load.acks.size();
            await("sends to be acknowledged", 20, () -> load.acks.size() >= before + 200);
            server.signal("STOP");
            long stopped = System.currentTimeMillis();
            Thread.sleep(seconds * 1000L);
            row.evidence += stateOf(server.pid) == 'T' ? 1 : 0;
            long acked = load.acks.values().stream().filter(a -> a.wallMillis > stopped + 200).count();
            row.expect(acked == 0, acked + " acknowledgements from a stopped server");
            server.signal("CONT");
            long went = System.nanoTime();
            int then = load.acks.size();
            await("sends after a pause of " + seconds + " s", 30, () -> load.acks.size() > then + 20);
            row.figure("resumedMillisAfter" + seconds + "s", (System.nanoTime() - went) / 1_000_000);
            row.expect(load.hasRoute(), "no route after a pause of " + seconds + " s");
        }
        row.expect(load.consumerCaughtUp(), "the consumer did not catch up");
        finish(row, load, server, true);
    }

    /** S8: single bits of a closed store. */
    static void flips(Row row) throws Exception {
        Path data = directory("flips");
        Server server = Server.at(data).set("segmentBytes=4194304").start();
        Load load = new Load(server);
        load.bodyBytes = 4096;
        load.start();
        await("3 segments of messages", 60, () -> load.acks.size() >= 3500);
        load.pause();
        load.close();
        row.expect(server.terminate(row) == 0, "SIGTERM did not end with 0");
        long end = server.check().endPosition();
        Random chance = new Random(SEED);
        Map<String, Integer> outcomes = new TreeMap<>();
        Path copy = WORK.resolve("flipped");
        for (int i = 0; i < 16 && !row.deadline.passed(); i++) {
            boolean views = i % 4 == 3;
            copyStore(data, copy);
            Path file;
            long at;
            if (views) {
                List<Path> files;
                files = viewsFiles(copy, ".*\\.sst|MANIFEST.*|CURRENT|OPTIONS.*|IDENTITY");
                file = files.get(chance.nextInt(files.size()));
                at = (long) (chance.nextDouble() * Files.size(file));
            } else {
                long position = (long) (chance.nextDouble() * end);
                file = copy.resolve(String.format("log/%020d.seg", position / 4194304 * 4194304));
                at = position % 4194304;
            }
            flip(file, at, chance.nextInt(8));
            row.evidence++;
            String what = copy.relativize(file) + " byte " + at;
            // The check without a server: must name file and place of a flip in the log.
            Server closed = Server.at(copy).set("segmentBytes=4194304");
            Server.Check checked = closed.check();
            boolean zeroArea = !views && checked.sound && !checked.output.contains("at byte");
            if (!views && !zeroArea) {
                row.expect(checked.output.contains(file.getFileName().toString()), "store check does not name " + what + ": " + checked.output);
            }
            String outcome;
            try {
                server = closed.start();
                Checker found = new Checker(load, server, true);
                row.expect(found.wrongBodies == 0, "wrong body served after a flip in " + what);
                if (found.lostCount() == 0) {
                    outcome = views ? "views: all served" : zeroArea ? "unused bytes: all served" : "log: all served";
                    row.expect(views || zeroArea, "all served although the log was flipped at " + what);
                } else if (found.refusals.isEmpty()) {
                    outcome = "LOST SILENTLY";
                    row.wrong(found.lostCount() + " messages not served and nothing said after a flip in " + what);
                } else {
                    outcome = "log: served with refusal";
                    String refusal = found.refusals.get(0);
                    row.figures.putIfAbsent("refusal", refusal);
                    // The file is for the operator: an answer to a client names none.
                    row.expect(!refusal.contains(data.toString()), "the refusal tells a path: " + refusal);
                    row.expect(text(server.log).contains(file.getFileName().toString()), "the server's log does not name the file of " + what);
                    row.figures.merge("notServedByOneFlip(max)", found.lostCount(), (a, b) -> Math.max((int) a, (int) b));
                }
                server.kill();
            } catch (StartRefused refused) {
                outcome = views ? "VIEWS REFUSED" : "log: start refused";
                row.expect(!views, "a flip in the views hinders the start: " + what + ": " + refused.getMessage());
                row.expect(refused.getMessage().contains(file.getFileName().toString()), "start refused without the file: " + refused.getMessage());
                row.figures.putIfAbsent("startRefusal", sentence(refused));
            }
            outcomes.merge(outcome, 1, Integer::sum);
            System.out.println("    flip in " + what + ": " + outcome);
        }
        row.figure("outcomes", outcomes);
    }

    /** S8 after a kill: single bits behind the last checkpoint, where a start must tell damage from a torn tail. */
    static void flipsKilled(Row row) throws Exception {
        Path data = directory("flips");
        Server server =
                Server.at(data).set("segmentBytes=4194304").set("checkpointMillis=600000").start();
        Load load = new Load(server);
        load.start();
        await("messages", 60, () -> load.acks.size() >= 1500);
        server.kill();
        load.pause();
        load.close();
        long end = server.check().endPosition();
        Random chance = new Random(SEED);
        Map<String, Integer> outcomes = new TreeMap<>();
        Path copy = WORK.resolve("flipped");
        for (int i = 0; i < 12 && !row.deadline.passed(); i++) {
            copyStore(data, copy);
            // Half of them close to the end.
            long at = i % 2 == 0 ? (long) (chance.nextDouble() * end) : end - 1 - chance.nextInt(8192);
            flip(copy.resolve(String.format("log/%020d.seg", at / 4194304 * 4194304)), at % 4194304, chance.nextInt(8));
            row.evidence++;
            String outcome;
            try {
                server = Server.at(copy).set("segmentBytes=4194304").start();
                Checker found = new Checker(load, server, true);
                row.expect(found.wrongBodies == 0, "wrong body served after a flip at " + at);
                int lost = found.lostCount();
                boolean cut = text(server.log).contains("torn bytes");
                outcome = lost == 0 ? "all served" : cut ? "cut as torn tail" : found.refusals.isEmpty() ? "LOST SILENTLY" : "served with refusal";
                row.expect(!outcome.startsWith("LOST"), lost + " lost silently after a flip " + (end - at) + " bytes before the end");
                // Only what no later frame proves to have been on disk can be taken for torn: the last groups of four senders.
                row.expect(!cut || lost <= 16, lost + " messages cut as a torn tail after a flip " + (end - at) + " bytes before the end");
                server.kill();
            } catch (StartRefused refused) {
                outcome = "start refused";
                row.expect(refused.getMessage().contains(".seg at byte"), "start refused without the file: " + refused.getMessage());
                row.figures.putIfAbsent("startRefusal", sentence(refused));
            }
            outcomes.merge(outcome, 1, Integer::sum);
            System.out.println("    flip " + (end - at) + " bytes before the end: " + outcome);
        }
        row.figure("outcomes", outcomes);
    }

    /** S9: derived files deleted, a segment deleted. */
    static void missing(Row row) throws Exception {
        Path data = directory("missing");
        Server server = Server.at(data).set("segmentBytes=4194304").start();
        Load load = new Load(server);
        load.bodyBytes = 4096;
        load.start();
        await("3 segments of messages", 60, () -> load.acks.size() >= 3000);
        load.pause();
        row.expect(load.consumerCaughtUp(), "the consumer did not catch up");
        // Nothing may come due any more, or a copy of the store would go on in time.
        Thread.sleep(5000);
        load.close();
        row.expect(server.terminate(row) == 0, "SIGTERM did not end with 0");
        Server.Check before = server.check();
        row.expect(before.sound, "store check before: " + before.output);
        Path copy = WORK.resolve("missing-copy");
        copyStore(data, copy);
        deleteViews(copy);
        row.evidence++;
        Server rebuilt = Server.at(copy).set("segmentBytes=4194304").start();
        row.figure("rebuildStartMillis", rebuilt.startMillis);
        new Checker(load, rebuilt).check(row, "views deleted");
        rebuilt.terminate(row);
        Server.Check after = rebuilt.check();
        row.expect(after.sound, "store check after the rebuild: " + after.output);
        row.expect(
                after.value("visibleMessages").equals(before.value("visibleMessages"))
                        && after.value("openTransactions").equals(before.value("openTransactions"))
                        && after.value("delayedMessages").equals(before.value("delayedMessages")),
                "rebuilt is not equal: " + before.output + " / " + after.output);
        for (String gone : new String[] {"middle", "first", "last", "cut", "all"}) {
            copyStore(data, copy);
            List<Path> segments;
            try (Stream<Path> list = Files.list(copy.resolve("log"))) {
                segments = list.sorted().toList();
            }
            switch (gone) {
                case "middle" -> Files.delete(segments.get(segments.size() / 2));
                case "first" -> Files.delete(segments.get(0));
                case "last" -> Files.delete(segments.get(segments.size() - 1));
                case "all" -> {
                    for (Path segment : segments) {
                        Files.delete(segment);
                    }
                }
                default -> {
                    try (FileChannel channel = FileChannel.open(segments.get(1), StandardOpenOption.WRITE)) {
                        channel.truncate(1_000_000);
                    }
                }
            }
            row.evidence++;
            try {
                Server started = Server.at(copy).set("segmentBytes=4194304").start();
                Checker found = new Checker(load, started, true);
                // A log that ends early may be an older copy, put back on purpose: it is served, and what it lacks is said (ADR 0022).
                row.expect(
                        gone.equals("last") && text(started.log).contains("are not in this log"),
                        "segment " + gone + " missing and the server started; " + found.lostCount() + " messages not served");
                row.figures.put("notServedWithoutTheLast", found.lostCount());
                started.kill();
            } catch (StartRefused refused) {
                System.out.println("    " + gone + ": " + refused.getMessage());
                row.expect(refused.getMessage().contains("log"), "segment " + gone + " missing: no clear text: " + refused.getMessage());
                row.figures.merge("refused", 1, (a, b) -> (int) a + 1);
                if (gone.equals("middle")) {
                    row.figure("text", sentence(refused));
                }
            }
        }
    }

    static String sentence(StartRefused refused) {
        return refused.getMessage()
                .lines()
                .filter(line -> line.contains("waybill server:"))
                .findFirst()
                .orElse(refused.getMessage());
    }

    /** T1: the wall clock of the server jumps; ours does not. */
    static void clock(Row row) throws Exception {
        Path shim = Path.of(System.getProperty("faults.clock", ""));
        if (!Files.exists(shim)) {
            throw new Skip("the clock shim was not built (no C compiler)");
        }
        Path shift = WORK.resolve("clock-shift");
        Files.write(shift, new byte[8]);
        MappedByteBuffer map;
        try (FileChannel channel = FileChannel.open(shift, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            map = channel.map(FileChannel.MapMode.READ_WRITE, 0, 8);
        }
        map.order(ByteOrder.nativeOrder());
        Path data = directory("clock");
        Server server = Server.at(data)
                .env("LD_PRELOAD", shim.toString())
                .env("WAYBILL_CLOCK_FILE", shift.toString())
                .set("segmentBytes=4194304")
                .set("registerMillis=2000")
                .start();
        Load load = new Load(server);
        load.start();
        await("sends to be acknowledged", 20, () -> load.acks.size() >= 300);
        long hour = 3_600_000;
        Map<String, Long> jumps = new LinkedHashMap<>();
        jumps.put("-1h", -hour);
        jumps.put("back from -1h", 0L);
        jumps.put("+1h", hour);
        jumps.put("back from +1h", 0L);
        jumps.put("+1d", 24 * hour);
        jumps.put("back from +1d", 0L);
        int segmentsBefore = segmentsIn(data);
        for (Map.Entry<String, Long> jump : jumps.entrySet()) {
            int before = load.acks.size();
            int failed = load.failures.size();
            // After a jump forward, what is pending is due by the clock everybody sees.
            load.early = jump.getValue() > map.getLong(0);
            map.putLong(0, jump.getValue());
            int noRoute = 0;
            int noConsumer = 0;
            for (int i = 0; i < 8; i++) {
                Thread.sleep(1000);
                noRoute += load.hasRoute() ? 0 : 1;
                noConsumer += load.consumerIsMember() ? 0 : 1;
            }
            load.early = false;
            row.expect(noRoute == 0, jump.getKey() + ": the route was gone " + noRoute + " times");
            row.expect(noConsumer == 0, jump.getKey() + ": the consumer was no member " + noConsumer + " times");
            row.expect(load.acks.size() > before + 100, jump.getKey() + ": only " + (load.acks.size() - before) + " sends in 8 s");
            row.expect(load.failures.size() == failed, jump.getKey() + ": sends failed: " + load.lastErrorText());
            if (load.shiftSeen(server, jump.getValue())) {
                row.evidence++;
            }
        }
        row.figure("jumpsSeenInStoreTime", row.evidence);
        row.expect(segmentsIn(data) >= segmentsBefore, "segments were dropped");
        row.figure("earlyByRealTimeAfterBackwardJump", load.tooEarly.size());
        row.expect(load.tooEarly.isEmpty(), "delivered early by real time: " + load.tooEarly.stream().limit(3).toList());
        // What was sent under a clock far ahead is due when that time comes.
        load.early = true;
        map.putLong(0, 26 * hour);
        Thread.sleep(6000);
        finish(row, load, server, true);
    }

    /** S14, first half: SIGTERM under load. */
    static void sigterm(Row row) throws Exception {
        Path data = directory("sigterm");
        Server server = Server.at(data).set("segmentBytes=8388608").start();
        Load load = new Load(server);
        load.start();
        List<Long> millis = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            int before = load.acks.size();
            await("sends to be acknowledged", 20, () -> load.acks.size() >= before + 300);
            long began = System.nanoTime();
            int code = server.terminate(row);
            millis.add((System.nanoTime() - began) / 1_000_000);
            row.evidence++;
            row.expect(code == 0, "SIGTERM ended with " + code);
            Server.Check check = server.check();
            row.expect(check.sound && check.value("tornTailBytes").equals("0"), "store check after SIGTERM: " + check.output);
            server = server.start();
            load.pause();
            new Checker(load, server).check(row, "SIGTERM " + i);
            load.resume();
        }
        row.figure("stopMillis", millis);
        row.expect(millis.stream().allMatch(m -> m <= 3000), "SIGTERM took longer than 3 s: " + millis);
        finish(row, load, server, true);
    }

    /** S14, second half: kill -9 with a large log. */
    static void bigKill(Row row) throws Exception {
        Path data = directory("big");
        Server server = Server.at(data).flush("async").start();
        Load load = new Load(server);
        load.fill(1_100L << 20, 65_536);
        row.figure("logMiB", sizeOf(data.resolve("log")) >> 20);
        List<Long> millis = new ArrayList<>();
        load.start();
        for (int i = 0; i < 3; i++) {
            int before = load.acks.size();
            await("sends to be acknowledged", 20, () -> load.acks.size() >= before + 300);
            server.kill();
            row.evidence++;
            server = server.start();
            millis.add(server.startMillis);
            if (i == 0) {
                // Written without a pause right before the kill: the most there can be to replay.
                load.fill(100L << 20, 65_536);
            }
        }
        row.figure("readyMillis", millis);
        row.expect(millis.stream().allMatch(m -> m <= 3000), "READY later than 3 s: " + millis);
        finish(row, load, server, true);
    }

    /** X7: 512 MiB for the server, cold backlog read by many, idle connections. */
    static void memory(Row row) throws Exception {
        Path group = Path.of("/sys/fs/cgroup/memory/waybill-faults");
        try {
            Files.createDirectories(group);
            Files.writeString(group.resolve("memory.limit_in_bytes"), String.valueOf(512L << 20));
        } catch (IOException e) {
            throw new Skip("no cgroup v1 memory controller: " + e.getMessage());
        }
        Path data = directory("memory");
        Server server = Server.at(data)
                .flush("async")
                .prefix("sh", "-c", "echo $$ > " + group + "/cgroup.procs; exec \"$@\"", "sh")
                .start();
        Load load = new Load(server);
        load.fill(2048L << 20, 131_072);
        row.figure("backlogMiB", sizeOf(data.resolve("log")) >> 20);
        List<Socket> idle = new ArrayList<>();
        int refusedIdle = 0;
        for (int i = 0; i < 5000; i++) {
            try {
                Socket socket = new Socket();
                socket.connect(new InetSocketAddress("127.0.0.1", server.brokerPort), 2000);
                idle.add(socket);
            } catch (IOException e) {
                refusedIdle++;
            }
        }
        row.figure("idleConnections", idle.size());
        row.expect(refusedIdle == 0, refusedIdle + " of 5000 connections refused");
        load.start();
        AtomicLong pulled = new AtomicLong();
        ConcurrentLinkedQueue<String> problems = new ConcurrentLinkedQueue<>();
        List<Thread> readers = new ArrayList<>();
        String namesrv = server.namesrv();
        Deadline until = new Deadline(40);
        for (int r = 0; r < 8; r++) {
            int number = r;
            Thread reader = new Thread(() -> {
                try {
                    DefaultMQPullConsumer consumer = load.pullConsumer(namesrv, "cold-" + number);
                    List<MessageQueue> queues = new ArrayList<>(consumer.fetchSubscribeMessageQueues(Load.BULK));
                    queues.sort(null);
                    for (int round = number; !until.passed(); round++) {
                        MessageQueue queue = queues.get(round % queues.size());
                        long next = consumer.minOffset(queue);
                        long max = consumer.maxOffset(queue);
                        while (next < max && !until.passed()) {
                            PullResult result = consumer.pull(queue, "*", next, 1024, 20_000);
                            if (result.getPullStatus() != PullStatus.FOUND) {
                                problems.add("pull says " + result.getPullStatus());
                                break;
                            }
                            for (MessageExt message : result.getMsgFoundList()) {
                                pulled.addAndGet(message.getBody().length);
                            }
                            next = result.getNextBeginOffset();
                        }
                    }
                } catch (Exception e) {
                    problems.add(String.valueOf(e));
                }
            });
            reader.start();
            readers.add(reader);
        }
        // Readers who ask and never read: 64 big pulls each.
        List<Socket> slow = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            Socket socket = new Socket();
            socket.setReceiveBufferSize(4096);
            socket.connect(new InetSocketAddress("127.0.0.1", server.brokerPort), 2000);
            slow.add(socket);
            for (int n = 0; n < 64; n++) {
                socket.getOutputStream().write(frame("{\"code\":11,\"flag\":0,\"language\":\"JAVA\",\"opaque\":" + n
                        + ",\"version\":513,\"extFields\":{\"consumerGroup\":\"slow\",\"topic\":\"" + Load.BULK
                        + "\",\"queueId\":\"" + i % 4 + "\",\"queueOffset\":\"" + n * 8
                        + "\",\"maxMsgNums\":\"1024\",\"sysFlag\":\"4\",\"commitOffset\":\"0\",\"suspendTimeoutMillis\":\"15000\",\"subscription\":\"*\",\"subVersion\":\"0\"}}", 0));
            }
        }
        for (Thread reader : readers) {
            reader.join();
        }
        row.expect(problems.isEmpty(), "cold readers: " + problems.stream().limit(3).toList());
        row.figure("coldReadMiB", pulled.get() >> 20);
        row.expect(pulled.get() > 100L << 20, "hardly anything was read");
        row.expect(server.isAlive(), "the server was killed");
        row.evidence = Long.parseLong(text(group.resolve("memory.max_usage_in_bytes")).trim()) > (480L << 20) ? 1 : 0;
        row.figure("cgroupMaxMiB", Long.parseLong(text(group.resolve("memory.max_usage_in_bytes")).trim()) >> 20);
        row.figure("rssMiB", Long.parseLong(Pattern.compile("VmRSS:\\s+(\\d+)")
                .matcher(text(Path.of("/proc/" + server.pid + "/status")))
                .results()
                .findFirst()
                .map(m -> m.group(1))
                .orElse("0")) >> 10);
        row.figure("hwmMiB", Long.parseLong(Pattern.compile("VmHWM:\\s+(\\d+)")
                .matcher(text(Path.of("/proc/" + server.pid + "/status")))
                .results()
                .findFirst()
                .map(m -> m.group(1))
                .orElse("0")) >> 10);
        row.figure("oomControl", text(group.resolve("memory.oom_control")).replace('\n', ' ').trim());
        row.figure("sendMillis p99", percentile(load.latencies, 99));
        row.figure("failedSends", load.failures.size());
        row.expect(load.failures.isEmpty(), "sends failed: " + load.lastErrorText());
        for (Socket socket : idle) {
            socket.close();
        }
        for (Socket socket : slow) {
            socket.close();
        }
        finish(row, load, server, true);
        Files.deleteIfExists(group);
    }

    /** X1: malformed frames at a high rate beside steady clients. */
    static void hostile(Row row) throws Exception {
        Server server = Server.at(directory("hostile")).start();
        Load load = new Load(server);
        load.start();
        await("sends to be acknowledged", 20, () -> load.acks.size() >= 500);
        load.latencies.clear();
        Thread.sleep(10_000);
        long calm = percentile(load.latencies, 99);
        int failed = load.failures.size();
        load.latencies.clear();
        AtomicLong frames = new AtomicLong();
        AtomicLong connections = new AtomicLong();
        Deadline until = new Deadline(20);
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 2; t++) {
            Random chance = new Random(SEED + t);
            int port = t == 0 ? server.brokerPort : server.namesrvPort;
            Thread thread = new Thread(() -> {
                while (!until.passed()) {
                    try (Socket socket = new Socket("127.0.0.1", port)) {
                        connections.incrementAndGet();
                        socket.setSoTimeout(20);
                        OutputStream out = socket.getOutputStream();
                        for (int n = 0; n < 50; n++) {
                            out.write(hostileFrame(chance));
                            frames.incrementAndGet();
                        }
                        socket.getInputStream().readNBytes(100);
                    } catch (IOException closedOnUs) {
                        // what a server must do with such a peer
                    }
                    pauseMillis(2);
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        row.evidence = frames.get();
        row.figure("frames", frames.get());
        row.figure("connections", connections.get());
        row.figure("calm p99", calm);
        row.figure("p99 meanwhile", percentile(load.latencies, 99));
        row.expect(server.isAlive(), "the server ended");
        row.expect(load.failures.size() == failed, "steady sends failed: " + load.lastErrorText());
        row.expect(percentile(load.latencies, 99) <= Math.max(3 * calm, 50), "steady sends suffered");
        row.figure("serverLogLines", lines(server.log));
        finish(row, load, server, true);
    }

    /** X1: few requests that cost many bytes, each kind in turn; after each a steady client is served within a second. */
    static void byteCost(Row row) throws Exception {
        Server server = Server.at(directory("byte-cost")).start(); // default memory
        Load load = new Load(server);
        load.start();
        await("sends to be acknowledged", 60, () -> load.acks.size() >= 300);
        String numbers = "1,".repeat(2_700_000) + "1";
        String longNames = "x".repeat(200);
        Map<String, Attack> attacks = new LinkedHashMap<>();
        attacks.put("unfinished frames", () -> flood(server.brokerPort, 40, 1, () -> {
            byte[] bytes = new byte[3 << 20];
            ByteBuffer.wrap(bytes).putInt(15 << 20).putInt(100);
            return bytes;
        }));
        attacks.put("unfinished frames at the name server", () -> flood(server.namesrvPort, 40, 1, () -> {
            byte[] bytes = new byte[3 << 20];
            ByteBuffer.wrap(bytes).putInt(15 << 20).putInt(100);
            return bytes;
        }));
        attacks.put("one-way sends of 4 MB", () -> flood(server.brokerPort, 4, 40, () -> request(
                10, 2, Map.of("producerGroup", "flood", "topic", Load.BULK, "defaultTopic", "TBW102", "defaultTopicQueueNums", "4",
                        "queueId", "0", "sysFlag", "0", "bornTimestamp", "1", "flag", "0", "properties", ""), new byte[4_000_000])));
        attacks.put("JSON bodies of many values", () -> flood(server.brokerPort, 4, 4, () ->
                request(34, 0, Map.of(), ("{\"clientID\":\"c\",\"consumerDataSet\":[" + numbers + "]}").getBytes(StandardCharsets.UTF_8))));
        attacks.put("JSON bodies at the name server", () -> flood(server.namesrvPort, 4, 4, () ->
                request(103, 0, Map.of("brokerName", "b", "brokerAddr", "127.0.0.1:1", "clusterName", "c", "haServerAddr", "", "brokerId", "0"),
                        ("{\"topicConfigSerializeWrapper\":{\"a\":[" + numbers + "]}}").getBytes(StandardCharsets.UTF_8))));
        AtomicInteger number = new AtomicInteger();
        attacks.put("heartbeats of many subscriptions", () -> flood(server.brokerPort, 2, 100, () -> {
            StringBuilder body = new StringBuilder("{\"clientID\":\"c" + number.incrementAndGet() + "\",\"producerDataSet\":[],\"consumerDataSet\":[{\"groupName\":\"g"
                    + number.get() + "\",\"consumeType\":\"CONSUME_PASSIVELY\",\"messageModel\":\"CLUSTERING\",\"consumeFromWhere\":\"CONSUME_FROM_LAST_OFFSET\",\"subscriptionDataSet\":[");
            for (int i = 0; i < 400; i++) {
                body.append(i == 0 ? "" : ",").append("{\"topic\":\"t").append(i).append("\",\"subString\":\"").append(longNames).append("\",\"subVersion\":1}");
            }
            return request(34, 0, Map.of(), body.append("]}]}").toString().getBytes(StandardCharsets.UTF_8));
        }));
        attacks.put("offsets of invented groups", () -> flood(server.brokerPort, 2, 20_000, () -> request(
                15, 2, Map.of("consumerGroup", "invented-" + longNames.substring(20) + number.incrementAndGet(), "topic", Load.ORDERS, "queueId", "0",
                        "commitOffset", "1"), new byte[0])));
        for (Map.Entry<String, Attack> attack : attacks.entrySet()) {
            int failed = load.failures.size();
            attack.getValue().run();
            row.evidence++;
            long ended = System.nanoTime();
            int acked = load.acks.size();
            await("a steady client to be served after " + attack.getKey(), 60, () -> load.acks.size() > acked);
            long millis = (System.nanoTime() - ended) / 1_000_000;
            row.figure(attack.getKey(), millis + " ms until served, " + (load.failures.size() - failed) + " sends failed");
            row.expect(millis <= 1_000, "after " + attack.getKey() + " a steady client waited " + millis + " ms");
            row.expect(server.isAlive(), "the server ended in " + attack.getKey());
        }
        row.figure("serverLogLines", lines(server.log));
        finish(row, load, server, false);
    }

    /** The directories of the views; a rebuild makes a new one beside the old one. */
    static List<Path> viewsDirectories(Path data) throws IOException {
        try (Stream<Path> list = Files.list(data)) {
            return list.filter(f -> f.getFileName().toString().startsWith("views") && Files.isDirectory(f)).sorted().toList();
        }
    }

    static List<Path> viewsFiles(Path data, String pattern) throws IOException {
        List<Path> files = new ArrayList<>();
        for (Path directory : viewsDirectories(data)) {
            try (Stream<Path> list = Files.list(directory)) {
                files.addAll(list.filter(f -> f.getFileName().toString().matches(pattern)).sorted().toList());
            }
        }
        return files;
    }

    static void deleteViews(Path data) throws IOException {
        for (Path directory : viewsDirectories(data)) {
            deleteTree(directory);
        }
    }

    interface Attack {
        void run() throws Exception;
    }

    interface Bytes {
        byte[] make();
    }

    /** So many connections, each with so many of the bytes, closed when all are sent or the server has closed them. */
    static void flood(int port, int connections, int each, Bytes bytes) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int c = 0; c < connections; c++) {
            Thread thread = new Thread(() -> {
                try (Socket socket = new Socket("127.0.0.1", port)) {
                    socket.setSoTimeout(2_000);
                    for (int n = 0; n < each; n++) {
                        socket.getOutputStream().write(bytes.make());
                    }
                    socket.getInputStream().read();
                } catch (IOException closedOnUs) {
                    // what a server may do with such a peer
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join(30_000);
        }
    }

    static byte[] request(int code, int flag, Map<String, String> fields, byte[] body) {
        StringBuilder header = new StringBuilder("{\"code\":" + code + ",\"flag\":" + flag + ",\"language\":\"JAVA\",\"opaque\":1,\"version\":513,\"extFields\":{");
        String between = "";
        for (Map.Entry<String, String> field : fields.entrySet()) {
            header.append(between).append('"').append(field.getKey()).append("\":\"").append(field.getValue()).append('"');
            between = ",";
        }
        byte[] head = header.append("}}").toString().getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + head.length + body.length).putInt(4 + head.length + body.length).putInt(head.length).put(head).put(body).array();
    }

    /** S15: a frame that a newer version wrote is no torn tail; the store is refused and not touched. */
    static void newer(Row row) throws Exception {
        Path data = directory("newer");
        Server server = Server.at(data).start();
        Load load = new Load(server);
        load.start();
        await("messages", 60, () -> load.acks.size() >= 500);
        server.kill();
        load.pause();
        load.close();
        long end = server.check().endPosition();
        Path segment;
        try (Stream<Path> list = Files.list(data.resolve("log"))) {
            segment = list.filter(f -> f.toString().endsWith(".seg")).sorted().findFirst().orElseThrow();
        }
        Random chance = new Random(SEED);
        List<Integer> frames = new ArrayList<>();
        byte[] log = Files.readAllBytes(segment);
        ByteBuffer bytes = ByteBuffer.wrap(log);
        for (int at = 0; at + 56 <= log.length && at < end && bytes.getInt(at) == 0x57424631; at += bytes.getInt(at + 12)) {
            frames.add(at);
        }
        row.figure("frames", frames.size());
        for (int i = 0; i < 4; i++) {
            Path copy = WORK.resolve("newer-copy");
            copyStore(data, copy);
            int at = frames.get(frames.size() - 1 - chance.nextInt(Math.min(frames.size() - 1, 200)));
            byte[] changed = log.clone();
            ByteBuffer frame = ByteBuffer.wrap(changed);
            frame.putShort(at + 8, (short) 99);
            java.util.zip.CRC32C crc = new java.util.zip.CRC32C();
            crc.update(changed, at + 8, frame.getInt(at + 12) - 8);
            frame.putInt(at + 4, (int) crc.getValue());
            Files.write(copy.resolve("log").resolve(segment.getFileName()), changed);
            deleteViews(copy); // or the start begins behind the frame
            row.evidence++;
            try {
                Server started = Server.at(copy).start();
                row.wrong("a store with a frame of version 99 was opened");
                started.kill();
            } catch (StartRefused refused) {
                row.expect(refused.getMessage().contains("version"), "the refusal names no version: " + refused.getMessage());
                row.figures.putIfAbsent("refusal", sentence(refused));
            }
            row.expect(java.util.Arrays.equals(changed, Files.readAllBytes(copy.resolve("log").resolve(segment.getFileName()))), "the log was touched");
        }
    }

    /** S8 while it runs: bits of the views' files flip under a server that serves. */
    static void viewsDamage(Row row) throws Exception {
        Path data = directory("views-damage");
        Server server = Server.at(data).set("checkpointMillis=500").start();
        Load load = new Load(server);
        load.start();
        Random chance = new Random(SEED);
        for (int i = 0; i < 6; i++) {
            int acked = load.acks.size();
            await("messages between two flips", 120, () -> load.acks.size() >= acked + 1500);
            List<Path> tables = viewsFiles(data, ".*\\.sst");
            if (!tables.isEmpty()) {
                Path table = tables.get(chance.nextInt(tables.size()));
                flip(table, (long) (chance.nextDouble() * Files.size(table)), chance.nextInt(8));
                row.evidence++;
            }
            row.expect(server.isAlive(), "the server ended after a flip in its views");
        }
        int acked = load.acks.size();
        await("sends after the last flip", 120, () -> load.acks.size() >= acked + 300);
        row.figure("rebuilds", Pattern.compile("(?i)rebuil").matcher(text(server.log)).results().count());
        finish(row, load, server, true);
    }

    /** T1 for de-duplication: a jump of two hours forward and back forgets no key. */
    static void dedupClock(Row row) throws Exception {
        Path shim = Path.of(System.getProperty("faults.clock", ""));
        if (!Files.exists(shim)) {
            throw new Skip("the clock shim was not built (no C compiler)");
        }
        Path shift = WORK.resolve("dedup-shift");
        Files.write(shift, new byte[8]);
        MappedByteBuffer map;
        try (FileChannel channel = FileChannel.open(shift, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            map = channel.map(FileChannel.MapMode.READ_WRITE, 0, 8);
        }
        map.order(ByteOrder.nativeOrder());
        Server server = Server.at(directory("dedup-clock"))
                .env("LD_PRELOAD", shim.toString())
                .env("WAYBILL_CLOCK_FILE", shift.toString())
                .start();
        String waybill = HOME.resolve("bin/waybill").toString();
        run(waybill, "topic", "create", "invoices", "-n", server.namesrv());
        run(waybill, "topic", "settings", "invoices", "--dedup", "1h", "-n", server.namesrv());
        for (int i = 0; i < 5; i++) {
            run(waybill, "send", "invoices", "first", "--dedup-key", "k" + i, "-n", server.namesrv());
        }
        map.putLong(0, 2 * 3_600_000L);
        run(waybill, "send", "invoices", "meanwhile", "--dedup-key", "other", "-n", server.namesrv());
        map.putLong(0, 0);
        for (int i = 0; i < 5; i++) {
            String again = run(waybill, "send", "invoices", "again", "--dedup-key", "k" + i, "-o", "json", "-n", server.namesrv());
            row.evidence++;
            row.expect(again.contains("\"duplicate\":true"), "key k" + i + " was forgotten: " + again);
        }
        row.expect(server.terminate(row) == 0, "SIGTERM did not end with 0");
    }

    static byte[] hostileFrame(Random chance) {
        String[] names = {"topic", "queueId", "queueOffset", "consumerGroup", "producerGroup", "a", "b", "c", "e", "i", "maxMsgNums", "group", "commitOffset", "offset", "properties", "timestamp"};
        String[] values = {"", "-1", "9223372036854775807", "99999999999999999999999", "../../../etc/passwd", "%RETRY%x", "\\u0000", "true", "null", "1e9", "a".repeat(300), "SCHEDULE_TOPIC_XXXX", "orders"};
        int[] codes = {10, 310, 320, 11, 361, 12, 14, 15, 17, 25, 26, 30, 34, 36, 37, 38, 41, 42, 46, 103, 105, 106, 200, 203, 206, 215, 221, 222, 301, 307, 361, 370, 30561, 30563, 99999, -1};
        switch (chance.nextInt(8)) {
            case 0 -> {
                byte[] noise = new byte[chance.nextInt(300) + 1];
                chance.nextBytes(noise);
                return noise;
            }
            case 1 -> {
                return ByteBuffer.allocate(8).putInt(Integer.MAX_VALUE).putInt(chance.nextInt()).array();
            }
            case 2 -> {
                return ByteBuffer.allocate(8).putInt(-chance.nextInt(1000)).putInt(4).array();
            }
            case 3 -> {
                // header longer than the frame
                return ByteBuffer.allocate(12).putInt(8).putInt(chance.nextInt(1 << 24)).putInt(0).array();
            }
            case 4 -> {
                return frame("{".repeat(chance.nextInt(2000) + 1), 0);
            }
            default -> {
                StringBuilder header = new StringBuilder("{\"code\":" + codes[chance.nextInt(codes.length)]
                        + ",\"flag\":" + (chance.nextInt(4) == 0 ? 1 : chance.nextInt(3)) + ",\"language\":\"JAVA\",\"opaque\":" + chance.nextInt()
                        + ",\"version\":513,\"extFields\":{");
                int count = chance.nextInt(12);
                for (int i = 0; i < count; i++) {
                    header.append(i == 0 ? "" : ",")
                            .append('"').append(names[chance.nextInt(names.length)]).append("\":\"")
                            .append(values[chance.nextInt(values.length)]).append('"');
                }
                return frame(header.append("}}").toString(), chance.nextInt(200));
            }
        }
    }

    static byte[] frame(String header, int body) {
        byte[] bytes = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + bytes.length + body)
                .putInt(4 + bytes.length + body)
                .putInt(bytes.length)
                .put(bytes)
                .array();
    }

    /** The last check of a row: everything acknowledged, then all that was pending is brought out, and the closed store read. */
    static void finish(Row row, Load load, Server server, boolean exact) throws Exception {
        load.pause();
        Checker checker = new Checker(load, server);
        checker.check(row, "end");
        row.figure("acked", load.acks.size());
        row.figure("failedSends", load.failures.size());
        load.checkPending(row, server, exact);
        load.close();
        row.expect(server.terminate(row) == 0, "the last SIGTERM did not end with 0");
        Server.Check check = server.check();
        row.expect(check.sound, "store check at the end: " + check.output);
    }

    // ------------------------------------------------------------------------------------------------ load

    /** Stock clients that send, transact, delay and consume, and remember what they were told. */
    static final class Load {
        static final String ORDERS = "orders";
        static final String HALVES = "halves";
        static final String LATER = "later";
        static final String SOON = "soon";
        static final String BULK = "bulk";
        static final String GROUP = "readers";
        static final AtomicInteger INSTANCE = new AtomicInteger();

        record Ack(int queue, long offset, long position, long nanos, long wallMillis) {}

        record Failure(long wallMillis, String text) {}

        final String namesrv;
        final Map<String, Ack> acks = new ConcurrentHashMap<>();
        final Map<String, Ack> soonAcks = new ConcurrentHashMap<>();
        final Map<String, Long> soonDueMillis = new ConcurrentHashMap<>();
        final Map<String, LocalTransactionState> halves = new ConcurrentHashMap<>();
        final Map<String, String> laterHandles = new ConcurrentHashMap<>();
        final ConcurrentLinkedQueue<Failure> failures = new ConcurrentLinkedQueue<>();
        final ConcurrentLinkedQueue<Long> latencies = new ConcurrentLinkedQueue<>();
        final ConcurrentLinkedQueue<Long> deliveryMillis = new ConcurrentLinkedQueue<>();
        final ConcurrentLinkedQueue<String> tooEarly = new ConcurrentLinkedQueue<>();
        final Map<String, Long> bulkAcks = new ConcurrentHashMap<>();
        final Map<Integer, Long> delivered = new ConcurrentHashMap<>();
        final List<AutoCloseable> clients = new ArrayList<>();
        final List<Thread> threads = new ArrayList<>();
        final AtomicInteger busy = new AtomicInteger();
        final int brokerPort;
        volatile boolean running = true;
        volatile boolean paused;
        volatile boolean draining;
        volatile boolean early;
        volatile boolean mayReuseOffsets;
        volatile int bodyBytes = 300;
        DefaultMQProducer producer;
        TransactionMQProducer transactions;
        DefaultMQPushConsumer consumer;

        Load(Server server) throws Exception {
            namesrv = server.namesrv();
            brokerPort = server.brokerPort;
            producer = new DefaultMQProducer("producers");
            name(producer);
            producer.setRetryTimesWhenSendFailed(0);
            producer.setSendMsgTimeout(3000);
            producer.start();
            clients.add(producer::shutdown);
            for (String topic : new String[] {ORDERS, BULK}) {
                producer.createTopic("TBW102", topic, 4, null);
            }
            for (String topic : new String[] {HALVES, LATER, SOON}) {
                producer.createTopic("TBW102", topic, 1, null);
            }
        }

        private void name(org.apache.rocketmq.client.ClientConfig client) {
            client.setNamesrvAddr(namesrv);
            client.setInstanceName("faults-" + INSTANCE.incrementAndGet());
            client.setPollNameServerInterval(1000);
            client.setHeartbeatBrokerInterval(1000);
            client.setPersistConsumerOffsetInterval(200);
        }

        void start() throws Exception {
            transactions = new TransactionMQProducer("transactions");
            name(transactions);
            transactions.setRetryTimesWhenSendFailed(0);
            transactions.setTransactionListener(new TransactionListener() {
                @Override
                public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                    String body = new String(message.getBody(), StandardCharsets.UTF_8);
                    int n = Integer.parseInt(body.substring(body.indexOf('-') + 1));
                    LocalTransactionState state = n % 3 == 0
                            ? LocalTransactionState.COMMIT_MESSAGE
                            : n % 3 == 1 ? LocalTransactionState.ROLLBACK_MESSAGE : LocalTransactionState.UNKNOW;
                    halves.put(body, state);
                    return state;
                }

                @Override
                public LocalTransactionState checkLocalTransaction(MessageExt message) {
                    LocalTransactionState state =
                            halves.getOrDefault(new String(message.getBody(), StandardCharsets.UTF_8), LocalTransactionState.ROLLBACK_MESSAGE);
                    return draining && state == LocalTransactionState.UNKNOW ? LocalTransactionState.COMMIT_MESSAGE : state;
                }
            });
            transactions.start();
            clients.add(transactions::shutdown);
            consumer = new DefaultMQPushConsumer(GROUP);
            name(consumer);
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.subscribe(ORDERS, "*");
            consumer.subscribe(SOON, "*");
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                for (MessageExt message : messages) {
                    long now = System.currentTimeMillis();
                    if (message.getTopic().equals(ORDERS)) {
                        delivered.merge(message.getQueueId(), message.getQueueOffset(), Math::max);
                        deliveryMillis.add(now - message.getBornTimestamp());
                    } else {
                        String body = new String(message.getBody(), StandardCharsets.UTF_8);
                        Long due = soonDueMillis.get(body);
                        if (!early && due != null && now < due) {
                            tooEarly.add(body + " by " + (due - now) + " ms");
                        }
                    }
                }
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            clients.add(consumer::shutdown);
            for (int t = 0; t < 4; t++) {
                int key = t;
                go(n -> order(key, n));
            }
            go(this::slowOnes);
        }

        private interface Step {
            void run(int n) throws Exception;
        }

        private void go(Step step) {
            Thread thread = new Thread(() -> {
                for (int n = 0; running; n++) {
                    busy.incrementAndGet();
                    try {
                        if (!paused) {
                            step.run(n);
                        }
                    } catch (Throwable e) {
                        fail(e);
                        pauseMillis(20);
                    } finally {
                        busy.decrementAndGet();
                    }
                    pauseMillis(paused ? 10 : 4);
                }
            });
            thread.setDaemon(true);
            thread.start();
            threads.add(thread);
        }

        private void fail(Throwable e) {
            String text = e instanceof MQBrokerException broker
                    ? "CODE " + broker.getResponseCode() + ": " + broker.getErrorMessage()
                    : e.getClass().getSimpleName() + ": " + String.valueOf(e.getMessage()).lines().findFirst().orElse("");
            failures.add(new Failure(System.currentTimeMillis(), text));
        }

        private void order(int key, int n) throws Exception {
            String id = "k" + key + ":" + n + ":";
            byte[] body = body(id, bodyBytes);
            Message message = new Message(ORDERS, "t", id, body);
            long began = System.nanoTime();
            SendResult result = producer.send(message, (queues, m, k) -> queues.get((Integer) k % queues.size()), key);
            if (result.getSendStatus() == SendStatus.SEND_OK) {
                latencies.add((System.nanoTime() - began) / 1_000_000);
                acks.put(id + bodyBytesOf(body), ack(result));
            }
        }

        private static int bodyBytesOf(byte[] body) {
            return body.length;
        }

        private static Ack ack(SendResult result) throws Exception {
            return new Ack(
                    result.getMessageQueue().getQueueId(),
                    result.getQueueOffset(),
                    MessageDecoder.decodeMessageId(result.getOffsetMsgId()).getOffset(),
                    System.nanoTime(),
                    System.currentTimeMillis());
        }

        private void slowOnes(int n) throws Exception {
            pauseMillis(20);
            Message later = new Message(LATER, "t", "later-" + n, ("later-" + n).getBytes(StandardCharsets.UTF_8));
            later.setDelayTimeMs(6 * 3_600_000 * 10L);
            SendResult result = producer.send(later);
            if (result.getSendStatus() == SendStatus.SEND_OK) {
                laterHandles.put(result.getMsgId(), result.getRecallHandle());
            }
            String body = "soon-" + n;
            Message soon = new Message(SOON, "t", body, body.getBytes(StandardCharsets.UTF_8));
            soonDueMillis.put(body, System.currentTimeMillis() + 3000);
            soon.setDelayTimeMs(3000);
            result = producer.send(soon);
            if (result.getSendStatus() == SendStatus.SEND_OK) {
                soonAcks.put(body, ack(result));
            }
            transactions.sendMessageInTransaction(
                    new Message(HALVES, "t", "half-" + n, ("half-" + n).getBytes(StandardCharsets.UTF_8)), null);
        }

        /** Sends so many bytes as fast as eight threads can, to a topic nobody consumes. */
        void fill(long bytes, int size) throws Exception {
            AtomicLong left = new AtomicLong(bytes);
            List<Thread> fillers = new ArrayList<>();
            byte[] body = body("bulk", size);
            for (int t = 0; t < 8; t++) {
                int queue = t % 4;
                Thread thread = new Thread(() -> {
                    int errors = 0;
                    while (left.addAndGet(-size) > 0 && errors < 100) {
                        try {
                            SendResult result = producer.send(
                                    new Message(BULK, "t", body), (queues, m, k) -> queues.get((Integer) k), queue);
                            bulkAcks.put(result.getMsgId(), result.getQueueOffset());
                        } catch (Exception e) {
                            errors++;
                            fail(e);
                        }
                    }
                });
                thread.start();
                fillers.add(thread);
            }
            for (Thread thread : fillers) {
                thread.join();
            }
        }

        void pause() {
            paused = true;
            try {
                await("the load to pause", 10, () -> {
                    for (int i = 0; i < 20; i++) {
                        if (busy.get() != 0) {
                            return false;
                        }
                    }
                    return true;
                });
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }

        void resume() {
            paused = false;
        }

        Failure firstError(long sinceMillis) {
            return failures.stream().filter(f -> f.wallMillis >= sinceMillis && f.text.startsWith("CODE")).findFirst().orElse(null);
        }

        Failure lastError() {
            return failures.stream().reduce((a, b) -> b).orElse(new Failure(0, "none"));
        }

        String lastErrorText() {
            return failures.size() + " in all, the last: " + lastError().text;
        }

        long failuresWith(String text) {
            return failures.stream().filter(f -> f.text.contains(text)).count();
        }

        boolean hasRoute() {
            try {
                DefaultMQPullConsumer reader = pullConsumer(namesrv, "route");
                boolean there = !reader.fetchSubscribeMessageQueues(ORDERS).isEmpty();
                org.apache.rocketmq.remoting.protocol.route.TopicRouteData route = reader.getDefaultMQPullConsumerImpl()
                        .getRebalanceImpl()
                        .getmQClientFactory()
                        .getMQClientAPIImpl()
                        .getTopicRouteInfoFromNameServer(ORDERS, 2000);
                return there && !route.getBrokerDatas().isEmpty();
            } catch (Exception e) {
                return false;
            }
        }

        boolean consumerIsMember() {
            try {
                return consumer.getDefaultMQPushConsumerImpl()
                        .getmQClientFactory()
                        .findConsumerIdList(ORDERS, GROUP)
                        .contains(consumer.buildMQClientId());
            } catch (Exception e) {
                return false;
            }
        }

        /** Whether the newest store time is what a clock with this shift gives, or a later one that came before. */
        boolean shiftSeen(Server server, long shiftMillis) throws Exception {
            DefaultMQPullConsumer reader = pullConsumer(server.namesrv(), "checker");
            for (MessageQueue queue : reader.fetchSubscribeMessageQueues(ORDERS)) {
                long max = reader.maxOffset(queue);
                PullResult result = reader.pull(queue, "*", max - 1, 1);
                long ahead = result.getMsgFoundList().get(0).getStoreTimestamp() - System.currentTimeMillis();
                System.out.println("    store time is " + ahead + " ms ahead of ours");
                return shiftMillis <= 0 || Math.abs(ahead - shiftMillis) < 60_000;
            }
            return false;
        }

        /** Null, or what was wrong. */
        String decideOne() throws Exception {
            // An undecided half is decided by a check; there are many.
            DefaultMQPullConsumer reader = pullConsumer(namesrv, "checker");
            MessageQueue queue = reader.fetchSubscribeMessageQueues(HALVES).iterator().next();
            long before = reader.maxOffset(queue);
            long open = halves.values().stream().filter(s -> s == LocalTransactionState.UNKNOW).count();
            draining = true;
            try {
                await("a half message to be committed by check", 25, () -> reader.maxOffset(queue) > before);
                return null;
            } catch (Exception e) {
                return open + " halves are open and none was decided within 25 s";
            } finally {
                draining = false;
            }
        }

        String commitOffset() throws Exception {
            DefaultMQPullConsumer reader = pullConsumer(namesrv, "committer");
            for (MessageQueue queue : reader.fetchSubscribeMessageQueues(ORDERS)) {
                reader.updateConsumeOffset(queue, 7);
                reader.getOffsetStore().updateConsumeOffsetToBroker(queue, 7, false);
                long read = reader.fetchConsumeOffset(queue, true);
                if (read != 7) {
                    return "a committed offset reads " + read;
                }
            }
            return null;
        }

        boolean consumerCaughtUp() throws Exception {
            Map<Integer, Long> wanted = new HashMap<>();
            acks.values().forEach(a -> wanted.merge(a.queue, a.offset, Math::max));
            try {
                await("the consumer", 20, () -> wanted.entrySet().stream()
                        .allMatch(e -> delivered.getOrDefault(e.getKey(), -1L) >= e.getValue()));
                return true;
            } catch (Exception e) {
                return false;
            }
        }

        final Map<String, DefaultMQPullConsumer> pullConsumers = new ConcurrentHashMap<>();

        DefaultMQPullConsumer pullConsumer(String address, String group) throws Exception {
            DefaultMQPullConsumer old = pullConsumers.get(group);
            if (old != null && old.getNamesrvAddr().equals(address)) {
                return old;
            }
            DefaultMQPullConsumer reader = new DefaultMQPullConsumer(group);
            name(reader);
            reader.setNamesrvAddr(address);
            reader.start();
            synchronized (clients) {
                clients.add(reader::shutdown);
            }
            pullConsumers.put(group, reader);
            return reader;
        }

        /** Delayed messages are all still pending, and every half comes to the end it must have. */
        void checkPending(Row row, Server server, boolean exact) throws Exception {
            int gone = 0;
            String why = "";
            int looked = 0;
            for (Map.Entry<String, String> handle : laterHandles.entrySet()) {
                if (looked++ == 500) {
                    break;
                }
                try {
                    producer.recallMessage(LATER, handle.getValue());
                } catch (Exception e) {
                    gone++;
                    why = e.getMessage();
                }
            }
            row.figure("delayedPending", laterHandles.size());
            row.expect(!exact || gone == 0, gone + " of " + looked + " delayed messages no longer pending: " + why);
            Set<String> wanted = halves.entrySet().stream()
                    .filter(e -> e.getValue() != LocalTransactionState.ROLLBACK_MESSAGE)
                    .map(Map.Entry::getKey)
                    .collect(Collectors.toSet());
            if (halves.isEmpty()) {
                return;
            }
            draining = true;
            Map<String, Integer> seen = new HashMap<>();
            Deadline until = new Deadline(exact ? 40 : 15);
            do {
                pauseMillis(500);
                seen.clear();
                Checker.readAll(pullConsumer(server.namesrv(), "checker"), HALVES, m -> seen.merge(new String(m.getBody(), StandardCharsets.UTF_8), 1, Integer::sum), null);
            } while (!seen.keySet().containsAll(wanted) && !until.passed());
            row.figure("halves", halves.size());
            if (exact) {
                Set<String> never = new HashSet<>(wanted);
                never.removeAll(seen.keySet());
                row.expect(never.isEmpty(), never.size() + " of " + wanted.size() + " halves never became visible: " + never.stream().limit(5).toList());
            }
            seen.forEach((body, count) -> row.expect(count == 1, body + " was committed " + count + " times"));
            seen.keySet().forEach(body -> row.expect(halves.get(body) != LocalTransactionState.ROLLBACK_MESSAGE, body + " was rolled back and is visible"));
        }

        void close() {
            running = false;
            for (Thread thread : threads) {
                try {
                    thread.join(5000);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            List<AutoCloseable> all;
            synchronized (clients) {
                all = new ArrayList<>(clients);
                clients.clear();
            }
            for (AutoCloseable client : all) {
                try {
                    client.close();
                } catch (Exception e) {
                    System.out.println("    closing a client: " + e);
                }
            }
            pullConsumers.clear();
        }
    }

    /** A body that says by itself whether it is intact: the id, then bytes that follow from id and size. */
    static byte[] body(String id, int size) {
        byte[] head = (id + size + ":").getBytes(StandardCharsets.UTF_8);
        byte[] body = Arrays.copyOf(head, Math.max(size, head.length));
        int state = id.hashCode();
        for (int i = head.length; i < body.length; i++) {
            state = state * 1_103_515_245 + 12_345;
            body[i] = (byte) (state >> 16);
        }
        return body;
    }

    record Lost(int count, boolean isSuffix, long windowMillis) {}

    /** Reads all queues and compares with what was acknowledged. */
    static final class Checker {
        record Place(int queue, long offset) {}

        final Map<Place, String> found = new HashMap<>();
        final Map<String, Integer> soonSeen = new HashMap<>();
        final List<String> refusals = new ArrayList<>();
        final List<String> wrong = new ArrayList<>();
        final Load load;
        long newestPosition;
        int wrongBodies;

        Checker(Load load, Server server) throws Exception {
            this(load, server, false);
        }

        Checker(Load load, Server server, boolean tolerant) throws Exception {
            this.load = load;
            DefaultMQPullConsumer reader = load.pullConsumer(server.namesrv(), "checker");
            await("the route of orders", 10, () -> !reader.fetchSubscribeMessageQueues(Load.ORDERS).isEmpty());
            readAll(reader, Load.ORDERS, m -> {
                String text = new String(m.getBody(), StandardCharsets.ISO_8859_1);
                String[] parts = text.split(":", 4);
                String id = parts.length == 4 ? parts[0] + ":" + parts[1] + ":" : "?";
                int size = parts.length == 4 && parts[2].matches("\\d{1,7}") ? Integer.parseInt(parts[2]) : 0;
                if (!Arrays.equals(body(id, size), m.getBody())) {
                    wrongBodies++;
                    wrong.add("wrong body at queue " + m.getQueueId() + " offset " + m.getQueueOffset());
                }
                if (found.put(new Place(m.getQueueId(), m.getQueueOffset()), id + size) != null) {
                    wrong.add("offset " + m.getQueueOffset() + " of queue " + m.getQueueId() + " twice");
                }
                newestPosition = Math.max(newestPosition, m.getCommitLogOffset());
            }, tolerant ? refusals : null);
            if (!tolerant) {
                readAll(reader, Load.SOON, m -> soonSeen.merge(new String(m.getBody(), StandardCharsets.UTF_8), 1, Integer::sum), null);
                readAll(reader, Load.LATER, m -> wrong.add("a message delayed by hours is visible"), null);
                Set<String> halves = new HashSet<>();
                readAll(reader, Load.HALVES, m -> halves.add(new String(m.getBody(), StandardCharsets.UTF_8)), null);
                for (String half : halves) {
                    LocalTransactionState state = load.halves.get(half);
                    if (state == LocalTransactionState.ROLLBACK_MESSAGE || state == null) {
                        wrong.add(half + " is visible although " + state);
                    }
                }
                committed();
            }
        }

        private void committed() throws Exception {
            if (load.consumer == null || load.mayReuseOffsets) {
                return;
            }
            for (MessageQueue queue : load.consumer.fetchSubscribeMessageQueues(Load.ORDERS)) {
                long committed = load.consumer.getDefaultMQPushConsumerImpl().getOffsetStore().readOffset(queue, ReadOffsetType.READ_FROM_STORE);
                long delivered = load.delivered.getOrDefault(queue.getQueueId(), -1L);
                if (committed > delivered + 1) {
                    wrong.add("queue " + queue.getQueueId() + " is committed to " + committed + ", delivered up to " + delivered);
                }
            }
        }

        interface Visitor {
            void message(MessageExt message);
        }

        /** With refusals: goes on behind what the server refuses to serve, for as long as it finds something there. */
        static void readAll(DefaultMQPullConsumer reader, String topic, Visitor visitor, List<String> refusals) throws Exception {
            for (MessageQueue queue : reader.fetchSubscribeMessageQueues(topic)) {
                long next = reader.minOffset(queue);
                long max = reader.maxOffset(queue);
                while (next < max) {
                    PullResult pulled;
                    try {
                        pulled = reader.pull(queue, "*", next, 256, 5000);
                    } catch (MQBrokerException e) {
                        if (refusals == null) {
                            throw e;
                        }
                        refusals.add(e.getResponseCode() + " " + e.getErrorMessage());
                        next++;
                        continue;
                    }
                    if (pulled.getPullStatus() != PullStatus.FOUND) {
                        if (refusals != null) {
                            break;
                        }
                        throw new IllegalStateException("pull of " + queue + " at " + next + " below " + max + ": " + pulled);
                    }
                    for (MessageExt message : pulled.getMsgFoundList()) {
                        if (message.getQueueOffset() != next) {
                            throw new IllegalStateException("offset " + message.getQueueOffset() + " where " + next + " was due in " + queue);
                        }
                        next++;
                        visitor.message(message);
                    }
                }
            }
        }

        private boolean isThere(Map.Entry<String, Load.Ack> ack) {
            return ack.getKey().equals(found.get(new Place(ack.getValue().queue(), ack.getValue().offset())));
        }

        int lostCount() {
            return (int) load.acks.entrySet().stream().filter(a -> !isThere(a)).count();
        }

        /** Forgets what an asynchronous store may lose, and says how it looks. */
        Lost takeLost(long cutNanos) {
            List<Map.Entry<String, Load.Ack>> lost =
                    load.acks.entrySet().stream().filter(a -> !isThere(a)).toList();
            boolean suffix = lost.stream().allMatch(a -> a.getValue().position() > newestPosition);
            long window = lost.stream()
                    .mapToLong(a -> (cutNanos - a.getValue().nanos()) / 1_000_000)
                    .max()
                    .orElse(0);
            long oldestNanos = cutNanos - 1_000_000_000L;
            lost.forEach(a -> load.acks.remove(a.getKey()));
            load.soonAcks.values().removeIf(a -> a.nanos() > oldestNanos);
            // What was delivered and then lost makes room for other messages at the same offsets.
            load.mayReuseOffsets = true;
            wrong.removeIf(text -> text.contains("is committed to"));
            return new Lost(lost.size(), suffix, window);
        }

        void check(Row row, String when) throws Exception {
            wrong.stream().limit(5).forEach(text -> row.wrong(when + ": " + text));
            List<String> lost = load.acks.entrySet().stream()
                    .filter(a -> !isThere(a))
                    .map(a -> a.getKey() + " " + a.getValue())
                    .toList();
            row.expect(lost.isEmpty(), when + ": " + lost.size() + " acknowledged messages lost, such as " + lost.stream().limit(3).toList());
            Map<String, TreeMap<Integer, Long>> perKey = new HashMap<>();
            load.acks.forEach((id, ack) -> {
                String[] parts = id.split(":");
                perKey.computeIfAbsent(parts[0], k -> new TreeMap<>()).put(Integer.parseInt(parts[1]), ack.offset());
            });
            perKey.forEach((key, offsets) -> {
                long last = -1;
                for (long offset : offsets.values()) {
                    if (offset <= last) {
                        row.wrong(when + ": out of order for key " + key);
                        break;
                    }
                    last = offset;
                }
            });
            long now = System.currentTimeMillis();
            soonSeen.forEach((body, count) -> {
                if (count > 1) {
                    row.wrong(when + ": " + body + " became visible " + count + " times");
                }
            });
            long late = load.soonAcks.keySet().stream()
                    .filter(body -> load.soonDueMillis.get(body) < now - 15_000 && !soonSeen.containsKey(body))
                    .count();
            row.expect(late == 0, when + ": " + late + " messages delayed by 3 s are not there 15 s later");
            row.expect(load.tooEarly.isEmpty(), when + ": delivered early: " + load.tooEarly.stream().limit(3).toList());
            System.out.printf("    %s: %d acked, %d found, %d lost%n", when, load.acks.size(), found.size(), lost.size());
        }
    }

    // ------------------------------------------------------------------------------------------------ the server

    static final class StartRefused extends Exception {
        StartRefused(String text) {
            super(text);
        }
    }

    /** One `waybill server` as a process of its own, on the same two ports at each start. */
    static final class Server {
        private static final Pattern READY = Pattern.compile("READY namesrv=\\S+ broker=\\S+ console=\\S+ pid=(\\d+)");
        private static final Set<Server> ALL = ConcurrentHashMap.newKeySet();
        private static final AtomicInteger LOGS = new AtomicInteger();

        final Path data;
        final List<String> prefix = new ArrayList<>();
        final Map<String, String> environment = new HashMap<>();
        final List<String> settings = new ArrayList<>(List.of("--set", HALF_SETTINGS, "--set", "transactionCheckMillis=2000", "--set", "transactionCheckMax=10000"));
        final int namesrvPort = freePort();
        final int brokerPort = freePort();
        Path log;
        String checkText = "";
        Process process;
        long pid;
        long startMillis;

        private Server(Path data) {
            this.data = data;
        }

        static Server at(Path data) {
            return new Server(data);
        }

        Server flush(String flush) {
            settings.addAll(List.of("--flush", flush));
            return this;
        }

        Server set(String setting) {
            settings.addAll(List.of("--set", setting));
            return this;
        }

        Server env(String name, String value) {
            environment.put(name, value);
            return this;
        }

        Server prefix(String... words) {
            prefix.addAll(List.of(words));
            return this;
        }

        String namesrv() {
            return "127.0.0.1:" + namesrvPort;
        }

        Server start() throws Exception {
            log = WORK.resolve("server-" + LOGS.incrementAndGet() + ".log");
            List<String> command = new ArrayList<>(prefix);
            command.addAll(List.of(HOME.resolve("bin/waybill").toString(), "server", "--data", data.toString(),
                    "--namesrv-port", String.valueOf(namesrvPort), "--broker-port", String.valueOf(brokerPort)));
            command.addAll(settings);
            ProcessBuilder builder = new ProcessBuilder(command).redirectError(log.toFile());
            builder.environment().putAll(environment);
            long began = System.nanoTime();
            process = builder.start();
            ALL.add(this);
            BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                Matcher ready = READY.matcher(line);
                if (ready.matches()) {
                    pid = Long.parseLong(ready.group(1));
                    startMillis = (System.nanoTime() - began) / 1_000_000;
                    return this;
                }
            }
            int code = process.waitFor();
            throw new StartRefused("exit code " + code + ": " + text(log).trim());
        }

        boolean isAlive() {
            return process.isAlive();
        }

        void kill() throws Exception {
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
            process.waitFor();
        }

        void signal(String name) throws Exception {
            run("kill", "-" + name, String.valueOf(pid));
        }

        int terminate(Row row) throws Exception {
            long began = System.nanoTime();
            signal("TERM");
            if (!process.waitFor(15, TimeUnit.SECONDS)) {
                row.wrong("the server did not stop within 15 s of SIGTERM");
                kill();
                return -1;
            }
            long millis = (System.nanoTime() - began) / 1_000_000;
            row.expect(millis <= 3000, "SIGTERM took " + millis + " ms");
            return process.exitValue();
        }

        final class Check {
            boolean sound;
            String output;

            boolean isSound(boolean remember) {
                checkText = remember ? output : checkText;
                return sound;
            }

            String value(String key) {
                return Pattern.compile("(?m)^" + key + "\\s+(\\S+)").matcher(output).results().map(m -> m.group(1)).findFirst().orElse("?");
            }

            long endPosition() {
                return Long.parseLong(value("endPosition"));
            }
        }

        Check check() throws Exception {
            ProcessBuilder builder = new ProcessBuilder(HOME.resolve("bin/waybill").toString(), "store", "check", data.toString());
            Process checking = builder.redirectErrorStream(true).start();
            Check check = new Check();
            check.output = new String(checking.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            check.sound = checking.waitFor() == 0;
            checkText = check.output;
            return check;
        }

        static void killAll() {
            for (Server server : ALL) {
                ProcessHandle.of(server.pid == 0 ? server.process.pid() : server.pid)
                        .filter(h -> server.process.isAlive())
                        .ifPresent(ProcessHandle::destroyForcibly);
            }
            ALL.clear();
        }
    }

    static void check(Row row, boolean holds, String otherwise) {
        row.expect(holds, otherwise);
    }

    /** Injects faults into system calls of a running process. */
    static final class Strace implements AutoCloseable {
        private final Process process;
        private final Path output;

        private Strace(List<String> command, Path output) throws IOException {
            this.output = output;
            this.process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(new File("/dev/null")).start();
        }

        static Strace thread(long pid, String name, String... how) throws Exception {
            try (Stream<Path> tasks = Files.list(Path.of("/proc/" + pid + "/task"))) {
                for (Path task : tasks.toList()) {
                    if (text(task.resolve("comm")).trim().startsWith(name.substring(0, Math.min(15, name.length())))
                            || text(task.resolve("comm")).contains(name)) {
                        return start(List.of("-p", task.getFileName().toString()), how);
                    }
                }
            }
            throw new Skip("no thread " + name + " in the server");
        }

        static Strace process(long pid, Path under, String... how) throws Exception {
            List<String> where = new ArrayList<>(List.of("-f", "-p", String.valueOf(pid)));
            try (Stream<Path> files = Files.list(under)) {
                files.forEach(file -> where.addAll(List.of("-P", file.toString())));
            }
            return start(where, how);
        }

        private static Strace start(List<String> where, String... how) throws Exception {
            if (!Files.isExecutable(Path.of("/usr/bin/strace"))) {
                throw new Skip("no strace");
            }
            Path output = WORK.resolve("strace-" + System.nanoTime() + ".txt");
            List<String> command = new ArrayList<>(List.of("strace", "-ttt", "-o", output.toString()));
            command.addAll(where);
            command.addAll(List.of(how));
            return new Strace(command, output);
        }

        int injections() {
            return (int) text(output).lines().filter(line -> line.contains("INJECTED") || line.contains("DELAYED")).count();
        }

        /** The wall clock of the first injection. */
        long awaitInjection() throws Exception {
            await("the injection", 30, () -> injections() > 0);
            String line = text(output).lines().filter(l -> l.contains("INJECTED")).findFirst().orElseThrow();
            Matcher time = Pattern.compile("(\\d{10}\\.\\d+)").matcher(line);
            return time.find() ? (long) (Double.parseDouble(time.group(1)) * 1000) : System.currentTimeMillis();
        }

        @Override
        public void close() throws Exception {
            process.destroy();
            process.waitFor();
        }
    }

    /** A file system of its own. */
    static final class Disk {
        private static final List<Disk> ALL = new ArrayList<>();
        final Path mount;
        final Path image;
        String loop;

        private Disk(Path mount, Path image) {
            this.mount = mount;
            this.image = image;
            synchronized (ALL) {
                ALL.add(this);
            }
        }

        static Disk ext4(String name, int mebibytes) throws Exception {
            Path image = WORK.resolve(name + ".img");
            Disk disk = new Disk(WORK.resolve(name + ".mnt"), image);
            Files.createDirectories(disk.mount);
            Files.deleteIfExists(image);
            run("truncate", "-s", mebibytes + "M", image.toString());
            run("mkfs.ext4", "-q", "-F", "-m", "0", image.toString());
            try {
                disk.loop = run("losetup", "--find", "--show", image.toString()).trim();
            } catch (IOException e) {
                throw new Skip("no loop device: " + e.getMessage());
            }
            run("mount", disk.loop, disk.mount.toString());
            return disk;
        }

        static Disk tmpfs(String name, int mebibytes) throws Exception {
            Disk disk = new Disk(WORK.resolve(name + ".mnt"), null);
            Files.createDirectories(disk.mount);
            run("mount", "-t", "tmpfs", "-o", "size=" + mebibytes + "M", "tmpfs", disk.mount.toString());
            return disk;
        }

        Path path(String name) {
            return mount.resolve(name);
        }

        long usable() throws IOException {
            return Files.getFileStore(mount).getUsableSpace();
        }

        void cutPower() throws Exception {
            run(System.getProperty("faults.cut"), mount.toString());
        }

        boolean isDead() {
            try {
                Files.write(mount.resolve("dead?"), new byte[1]);
                return false;
            } catch (IOException e) {
                return true;
            }
        }

        /** ext4 meets an error it must not go on after: read-only from now on. */
        void abort() throws Exception {
            try {
                run("mount", "-o", "remount,abort", mount.toString());
            } catch (IOException e) {
                System.out.println("    " + e.getMessage());
            }
        }

        void remount() throws Exception {
            for (int i = 0; ; i++) {
                try {
                    run("umount", mount.toString());
                    break;
                } catch (IOException busy) {
                    if (i == 50) {
                        throw busy;
                    }
                    Thread.sleep(100);
                }
            }
            run("mount", loop, mount.toString());
        }

        static void removeAll() {
            List<Disk> all;
            synchronized (ALL) {
                all = new ArrayList<>(ALL);
                ALL.clear();
            }
            for (Disk disk : all) {
                try {
                    run("umount", "-l", disk.mount.toString());
                } catch (Exception e) {
                    System.out.println("    " + e.getMessage());
                }
                try {
                    if (disk.loop != null) {
                        run("losetup", "-d", disk.loop);
                    }
                    if (disk.image != null) {
                        Files.deleteIfExists(disk.image);
                    }
                } catch (Exception e) {
                    System.out.println("    " + e.getMessage());
                }
            }
        }
    }

    // ------------------------------------------------------------------------------------------------ small things

    interface Condition {
        boolean holds() throws Exception;
    }

    static void await(String what, int seconds, Condition condition) throws Exception {
        Deadline until = new Deadline(seconds);
        while (!condition.holds()) {
            if (until.passed()) {
                throw new IllegalStateException("waited " + seconds + " s in vain for " + what);
            }
            Thread.sleep(5);
        }
    }

    static void pauseMillis(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ": " + output.trim());
        }
        return output;
    }

    static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    static String text(Path file) {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }

    static long lines(Path file) {
        return text(file).lines().count();
    }

    static char stateOf(long pid) {
        String stat = text(Path.of("/proc/" + pid + "/stat"));
        return stat.isEmpty() ? '?' : stat.charAt(stat.lastIndexOf(')') + 2);
    }

    static long percentile(Iterable<Long> values, int percent) {
        List<Long> sorted = new ArrayList<>();
        values.forEach(sorted::add);
        sorted.sort(null);
        return sorted.isEmpty() ? -1 : sorted.get(Math.min(sorted.size() - 1, sorted.size() * percent / 100));
    }

    static Path directory(String name) throws IOException {
        Path directory = WORK.resolve(name);
        deleteTree(directory);
        return directory;
    }

    static int segmentsIn(Path data) throws IOException {
        try (Stream<Path> list = Files.list(data.resolve("log"))) {
            return (int) list.count();
        }
    }

    static long sizeOf(Path directory) throws IOException {
        try (Stream<Path> list = Files.list(directory)) {
            return list.mapToLong(f -> f.toFile().length()).sum();
        }
    }

    static void flip(Path file, long at, int bit) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer one = ByteBuffer.allocate(1);
            channel.read(one, at);
            one.put(0, (byte) (one.get(0) ^ 1 << bit)).flip();
            channel.write(one, at);
        }
    }

    static void copyStore(Path from, Path to) throws IOException {
        deleteTree(to);
        try (Stream<Path> all = Files.walk(from)) {
            for (Path path : all.toList()) {
                Files.copy(path, to.resolve(from.relativize(path).toString()), StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    static void deleteTree(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        try (Stream<Path> all = Files.walk(directory)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
