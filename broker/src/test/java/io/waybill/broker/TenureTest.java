/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.UnixOperatingSystemMXBean;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.ref.WeakReference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The features are one tenure: several of them, one after the other, live on one store, one set of threads and one table of members. On real files and RocksDB.
 * {@code -Dwaybill.tenure.topics=10000} builds 10,000 topics, 100,000 half messages and 100,000 pop states.
 */
class TenureTest {
    private static final int TOPICS = Integer.getInteger("waybill.tenure.topics", 200);
    private static final int TENURES = 10;

    /** Threads of the lanes, which come and go with their work and belong to the node. */
    private static final List<String> LANES =
            List.of("broker-cold-read", "broker-filter", "broker-return", "broker-operator", "broker-insight");

    @TempDir
    Path directory;

    private final List<WeakReference<Features>> ended = new ArrayList<>();

    @Test
    void tenTenuresOneAfterTheOtherLeaveNoThreadNoFileAndNothingInMemory() throws Exception {
        try (Tenures node = new Tenures(directory)) {
            node.fill(TOPICS);
            node.reopen();
            assertThat(node.store.transactions().openHalfCount()).isEqualTo(TOPICS * 10L);
            assertThat(node.store.pops().popKeys()).hasSize(TOPICS * 10);
            Set<Thread> before = threads();
            Set<String> serving = tenure(node, 0);
            assertThat(left(before)).as("after the first tenure").isEmpty();
            long descriptors = descriptors();
            for (int i = 1; i < TENURES; i++) {
                assertThat(tenure(node, i)).isEqualTo(serving);
                assertThat(left(before)).as("after tenure " + i).isEmpty();
            }
            assertThat(descriptors()).isEqualTo(descriptors);
            for (WeakReference<Features> one : ended) {
                for (int tries = 0; one.get() != null && tries < 100; tries++) {
                    System.gc();
                }
                assertThat(one.get()).isNull();
            }
        }
    }

    /** Serves a request of each kind that starts something, and ends. */
    private Set<String> tenure(Tenures node, int number) throws Exception {
        Features features = node.begin();
        ended.add(new WeakReference<>(features));
        FakeConnection client = new FakeConnection(number + 1);
        assertThat(Tenures.ask(features, client, Tenures.sending("orders-" + number))
                        .code())
                .isEqualTo(ResponseCode.SUCCESS);
        assertThat(Tenures.ask(
                                features,
                                client,
                                TestBroker.heartbeat("client-" + number, "readers", SubscriptionData.of("orders", "A")))
                        .code())
                .isEqualTo(ResponseCode.SUCCESS);
        assertThat(Tenures.ask(
                                features,
                                client,
                                Command.request(RequestCode.GET_BROKER_RUNTIME_INFO)
                                        .build())
                        .code())
                .isEqualTo(ResponseCode.SUCCESS);
        Set<String> serving = names(threads());
        Tenures.end(features);
        node.memberships.closed(client);
        return serving;
    }

    @Test
    void whoIsConnectedIsKnownToTheNextTenure() throws Exception {
        try (Tenures node = new Tenures(directory)) {
            FakeConnection one = new FakeConnection(1);
            FakeConnection two = new FakeConnection(2);
            Features first = node.begin();
            Tenures.ask(first, one, TestBroker.heartbeat("c1", "readers", SubscriptionData.of("orders", "A")));
            Tenures.ask(first, two, TestBroker.heartbeat("c2", "readers", SubscriptionData.of("orders", "B")));
            assertThat(node.members.consumerGroup("readers").conflicts()).isNotEmpty();
            Tenures.end(first);

            // Between two tenures: a member leaves, and the others hear of it.
            FakeConnection three = new FakeConnection(3);
            one.take();
            node.memberships.closed(three);
            two.close();
            node.memberships.closed(two);
            assertThat(one.take()).extracting(Command::code).containsExactly(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED);

            Features second = node.begin();
            Command list = Tenures.ask(
                    second,
                    three,
                    Command.request(RequestCode.GET_CONSUMER_LIST_BY_GROUP)
                            .field("consumerGroup", "readers")
                            .build());
            assertThat(new String(list.bodyBytes(), StandardCharsets.UTF_8))
                    .contains("c1")
                    .doesNotContain("c2");
            Tenures.end(second);
        }
    }

    private static Set<Thread> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> LANES.stream().noneMatch(thread.getName()::startsWith))
                .collect(Collectors.toSet());
    }

    private static Set<String> names(Set<Thread> threads) {
        return threads.stream().map(Thread::getName).collect(Collectors.toCollection(TreeSet::new));
    }

    /** Threads that were not there before, of those that do not end. */
    private static Set<String> left(Set<Thread> before) throws InterruptedException {
        Set<Thread> now = threads();
        now.removeAll(before);
        for (Thread thread : now) {
            if (thread
                    .isDaemon()) { // a duty has run for the last time when it is closed; its thread ends a moment later
                thread.join(TimeUnit.SECONDS.toMillis(10));
            }
        }
        now.removeIf(thread -> !thread.isAlive());
        return names(now);
    }

    /** Open files and sockets, those of the store apart: it makes and drops files by itself. */
    private long descriptors() throws IOException {
        Path open = Path.of("/proc/self/fd");
        if (!(ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean system)
                || !Files.isDirectory(open)) {
            return 0; // not known here
        }
        long ofStore = 0;
        try (Stream<Path> all = Files.list(open)) {
            for (Path one : all.toList()) {
                ofStore += isOfStore(one) ? 1 : 0;
            }
        }
        return system.getOpenFileDescriptorCount() - ofStore;
    }

    private boolean isOfStore(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString().startsWith(directory.toRealPath() + "/");
        } catch (IOException e) {
            return false; // closed meanwhile
        }
    }
}
