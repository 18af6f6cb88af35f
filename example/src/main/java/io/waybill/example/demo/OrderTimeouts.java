/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example.demo;

import io.waybill.client.WaybillClient;
import io.waybill.client.WaybillException;
import io.waybill.example.OrderTimeout;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/** The part of the demo about orders that are not paid in time: who did not pay gets an alarm, once and not early; who paid gets none. */
final class OrderTimeouts {
    private final DemoSettings settings;
    private final PrintStream out;
    private final Patience patience;
    private final Claims claims;

    OrderTimeouts(DemoSettings settings, PrintStream out, Patience patience, Claims claims) {
        this.settings = settings;
        this.out = out;
        this.patience = patience;
        this.claims = claims;
    }

    /** Runs it and checks its claims. */
    void run(WaybillClient client) throws Exception {
        int count = 100;
        Duration delay = Duration.ofSeconds(2);
        out.printf(
                "4 Time-outs by delayed messages        %d orders due in %d s, half of them paid%n",
                count, delay.toSeconds());
        patience.answered("creating a topic", () -> {
            client.admin().topics().create("order-timeouts", 4);
            return null;
        });
        Map<String, Long> latenessMillis = new ConcurrentHashMap<>();
        try (OrderTimeout timeouts = new OrderTimeout(
                client,
                (order, due) -> latenessMillis.put(
                        order, Duration.between(due, Instant.now()).toMillis()))) {
            Set<String> unpaid = new TreeSet<>();
            Set<String> notJudged = new TreeSet<>();
            int cancelled = 0;
            for (int i = 0; i < count; i++) {
                String order = String.format("unpaid-%03d", i);
                Instant due = Instant.now().plus(delay);
                try {
                    timeouts.mustBePaidBy(order, due);
                    if (i % 2 == 1) {
                        unpaid.add(order);
                    } else if (timeouts.paid(order)) {
                        cancelled++;
                    } else if (Instant.now().isBefore(due)) {
                        claims.require(false, order + " was paid in time, but its alarm could not be taken back");
                    } else {
                        notJudged.add(order); // it was paid too late
                    }
                } catch (WaybillException late) {
                    if (late.kind() != WaybillException.Kind.TIMEOUT) {
                        throw late;
                    }
                    unpaid.remove(order);
                    notJudged.add(order);
                }
            }
            ProgressLine progress = new ProgressLine(out, settings.terminal(), unpaid.size());
            patience.await(
                    "the alarms of unpaid orders",
                    latenessMillis::size,
                    () -> latenessMillis.keySet().containsAll(unpaid),
                    progress::show);
            latenessMillis.keySet().removeAll(notJudged);
            long[] sorted = latenessMillis.values().stream()
                    .mapToLong(Long::longValue)
                    .sorted()
                    .toArray();
            long early =
                    latenessMillis.values().stream().filter(late -> late < 0).count();
            progress.end(String.format(
                    "%d sent, %d cancelled, %d delivered; early %d, lateness p50 %d ms, p99 %d ms",
                    count,
                    cancelled,
                    sorted.length,
                    early,
                    sorted.length == 0 ? -1 : sorted[sorted.length / 2],
                    sorted.length == 0 ? -1 : sorted[(int) (sorted.length * 0.99)]));
            if (!notJudged.isEmpty()) {
                out.printf(
                        "  %d took longer than %d s to send or to pay and are not judged%n",
                        notJudged.size(), delay.toSeconds());
            }
            claims.compare("alarms gone off", unpaid, latenessMillis.keySet());
            claims.require(early == 0, early + " alarms went off early");
        }
    }
}
