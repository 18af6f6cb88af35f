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
            for (int order = 1; order <= 3; order++) {
                for (OrderStep step : OrderStep.values()) {
                    SendReceipt receipt = producer.send(Message.to("orders")
                            .tag(step.name())
                            .key("order-" + order)
                            .orderingKey("order-" + order)
                            .body("order-" + order + " " + step)
                            .build());
                    System.out.println("stored " + receipt.queue() + " offset " + receipt.offset() + ": order-" + order
                            + " " + step);
                }
            }
        }
    }
}
