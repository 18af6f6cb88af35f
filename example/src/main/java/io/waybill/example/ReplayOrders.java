/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

import io.waybill.client.Replay;
import io.waybill.client.ReplayPreview;
import io.waybill.client.ReplayResult;
import io.waybill.client.WaybillClient;
import java.time.Duration;
import java.time.Instant;

/** After an incident: reads the orders since an instant again, into a group of its own; the living groups notice nothing. */
public final class ReplayOrders {
    public static void main(String[] arguments) {
        Instant since = arguments.length > 1
                ? Instant.parse(arguments[1])
                : Instant.now().minus(Duration.ofHours(1));
        try (WaybillClient client = WaybillClient.connect(NameServer.from(arguments))) {
            Replay replay =
                    client.replay("orders").from(since).into("orders-replay").rate(200);
            ReplayPreview preview = replay.preview();
            System.out.println("since " + since + ": " + preview.count() + " messages");
            preview.slices()
                    .forEach(slice -> System.out.println(
                            "  " + slice.queue() + "  " + slice.fromOffset() + " to " + slice.toOffset()));
            ReplayResult result =
                    replay.restart().run(message -> System.out.println(OrderedOrderConsumer.describe(message)));
            System.out.println("replayed " + result.handled() + ", complete: " + result.complete());
        }
    }
}
