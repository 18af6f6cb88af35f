/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Decision;
import io.waybill.client.StartFrom;
import io.waybill.client.TransactionReceipt;
import io.waybill.client.WaybillClient;
import io.waybill.example.TransactionalOrderProducer.Fate;
import io.waybill.server.EmbeddedBroker;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The main job of each example program is done, and what came of it is as its comment says. */
@Tag("end-to-end")
class ExamplesTest {
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private EmbeddedBroker broker;
    private WaybillClient client;

    @BeforeEach
    void start() {
        broker = EmbeddedBroker.in(null)
                .with("transactionTimeoutMillis", "300")
                .with("transactionCheckMillis", "300")
                .start();
        client = WaybillClient.connect(broker.namesrvAddress());
        client.admin().topics().create("orders", 4);
    }

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    /** What a program prints. */
    private String printed(Runnable program) {
        PrintStream before = System.out;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            program.run();
        } finally {
            System.setOut(before);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private String[] address() {
        return new String[] {broker.namesrvAddress()};
    }

    @Test
    void threeOrdersAreSentConsumedInOrderAndReplayed() throws Exception {
        assertThat(printed(() -> OrderProducer.main(address())).lines())
                .hasSize(9)
                .allMatch(line -> line.startsWith("stored "));
        Map<String, List<OrderStep>> shipped = new ConcurrentHashMap<>();
        List<String> outOfOrder = new CopyOnWriteArrayList<>();
        try (OrderDatabase database = OrderDatabase.inMemory("examples-shipping");
                OrderedOrderConsumer consumer =
                        new OrderedOrderConsumer(client, "shipping", database, (order, step, inOrder) -> {
                            shipped.computeIfAbsent(order, name -> new CopyOnWriteArrayList<>())
                                    .add(step);
                            if (!inOrder) {
                                outOfOrder.add(order + " " + step);
                            }
                        })) {
            await().atMost(PATIENCE)
                    .until(() -> shipped.values().stream().mapToInt(List::size).sum() == 9);
            await().atMost(PATIENCE).until(() -> consumer.ownedQueues() == 4);
        }
        assertThat(shipped).hasSize(3);
        assertThat(shipped.values()).allMatch(List.of(OrderStep.values())::equals);
        assertThat(outOfOrder).isEmpty();

        String replayed = printed(() -> ReplayOrders.main(address()));
        assertThat(replayed).contains(": 9 messages").contains("replayed 9, complete: true");
        for (String order : shipped.keySet()) {
            assertThat(replayed.lines().filter(line -> line.contains(order)))
                    .map(line -> line.substring(line.lastIndexOf(' ') + 1))
                    .containsExactly("CREATED", "PAID", "SHIPPED");
        }
    }

    @Test
    void whatTheDatabaseHasCommittedIsSeenByOthersAlsoAfterACrash() throws Exception {
        Set<String> seen = ConcurrentHashMap.newKeySet();
        client.pushConsumer("audit")
                .subscribe("orders")
                .from(StartFrom.FIRST)
                .onMessage(message -> {
                    seen.add(message.text());
                    return ConsumeResult.SUCCESS;
                })
                .start();
        Map<Fate, TransactionReceipt> receipts = new EnumMap<>(Fate.class);
        try (OrderDatabase database = OrderDatabase.inMemory("examples-orders");
                TransactionalOrderProducer orders = new TransactionalOrderProducer(client, database, order -> {})) {
            for (Fate fate : Fate.values()) {
                // On a busy machine a check may come before the local transaction begins: then nothing was recorded.
                do {
                    receipts.put(fate, orders.handle(fate.name(), OrderStep.CREATED, fate));
                } while (fate == Fate.COMMIT && receipts.get(fate).decision() == Decision.ROLLBACK);
            }
            assertThat(receipts.get(Fate.COMMIT).decision()).isEqualTo(Decision.COMMIT);
            assertThat(receipts.get(Fate.ROLL_BACK).decision()).isEqualTo(Decision.ROLLBACK);
            assertThat(receipts.get(Fate.CRASH_AFTER_COMMIT).decision()).isEqualTo(Decision.UNKNOWN);
            assertThat(receipts.get(Fate.CRASH_BEFORE_COMMIT).decision()).isEqualTo(Decision.UNKNOWN);

            await().atMost(PATIENCE)
                    .until(() -> client.admin().transactions().list(10).isEmpty());
            Set<String> recorded = database.recorded();
            assertThat(recorded)
                    .contains("COMMIT CREATED")
                    .doesNotContain("ROLL_BACK CREATED", "CRASH_BEFORE_COMMIT CREATED");
            await().atMost(PATIENCE).until(() -> seen.containsAll(recorded));
            assertThat(seen).isEqualTo(recorded);
        }
    }

    @Test
    void anOrderNotPaidInTimeIsCancelledAndAPaidOneIsNot() {
        client.admin().topics().create("order-timeouts", 4);
        Map<String, Instant> cancelled = new ConcurrentHashMap<>();
        try (OrderTimeout timeouts = new OrderTimeout(client, (order, due) -> cancelled.put(order, Instant.now()))) {
            Instant soon = Instant.now().plusMillis(500);
            timeouts.mustBePaidBy("paid", Instant.now().plus(Duration.ofHours(1)));
            timeouts.mustBePaidBy("unpaid", soon);
            assertThat(timeouts.paid("paid")).isTrue();
            await().atMost(PATIENCE).until(() -> cancelled.containsKey("unpaid"));
            assertThat(cancelled).containsOnlyKeys("unpaid");
            assertThat(cancelled.get("unpaid")).isAfterOrEqualTo(soon.minusMillis(1));
        }
    }
}
