/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pop;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/** One topic at one broker, from which a push consumer pops. At most one pop is under way. */
final class PopSource {
    final String topic;
    final String broker;
    final AtomicInteger held = new AtomicInteger(); // messages not settled
    final AtomicBoolean popping = new AtomicBoolean();
    volatile long lastPopMillis;

    PopSource(String topic, String broker) {
        this.topic = topic;
        this.broker = broker;
    }

    @Override
    public String toString() {
        return topic + " at " + broker;
    }
}
