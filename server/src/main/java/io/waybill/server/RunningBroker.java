/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.server;

import io.waybill.broker.Broker;
import java.util.concurrent.CompletionStage;

/** A broker that runs in this process, with all that was started for it; closing undoes the steps of its start, the last one first. */
abstract sealed class RunningBroker implements AutoCloseable permits BrokerServer, WaybillServer {
    private final Steps steps;
    private final Broker broker;

    RunningBroker(Steps steps, Broker broker) {
        this.steps = steps;
        this.broker = broker;
    }

    /** Completes, with the reason, once the broker's store froze and the broker left; the process should then be ended and started again. */
    public CompletionStage<String> gone() {
        return broker.gone();
    }

    /** Whether the broker's store takes no more changes until it is opened again. */
    public boolean isFrozen() {
        return broker.isFrozen();
    }

    /** Stops what runs. What was acknowledged is on the disk when this returns. Idempotent. */
    @Override
    public void close() {
        steps.close();
    }
}
