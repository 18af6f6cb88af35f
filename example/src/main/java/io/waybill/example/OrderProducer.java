/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.SendReceipt;
import io.waybill.client.WaybillClient;

/** Sends the steps of a few orders. The ordering key keeps the steps of one order in one queue, so they stay in order. */
public final class OrderProducer {
    public static void main(String[] arguments) {
        try (WaybillClient client = WaybillClient.connect(NameServer.from(arguments));
                Producer producer = client.producer("order-service").build()) {
            long now = System.currentTimeMillis();
            for (int number = 1; number <= 3; number++) {
                String order = "order-" + now + "-" + number;
                for (OrderStep step : OrderStep.values()) {
                    SendReceipt receipt = producer.send(Message.to("orders")
                            .tag(step.name())
                            .key(order)
                            .orderingKey(order)
                            .body(order + " " + step)
                            .build());
                    System.out.println(
                            "stored " + receipt.queue() + " offset " + receipt.offset() + ": " + order + " " + step);
                }
            }
        }
    }
}
