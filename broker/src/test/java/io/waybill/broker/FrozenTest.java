/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.simulated.Fault;
import io.waybill.platform.simulated.FileCall;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** A broker whose store froze does not stay registered, and whoever runs it is told. */
class FrozenTest {
    private static long goodbyes(TestBroker broker) {
        return broker.registrations.stream()
                .filter(command -> command.code() == RequestCode.UNREGISTER_BROKER)
                .count();
    }

    @Test
    void leavesTheNameServersAndSaysSo() {
        TestBroker broker = new TestBroker();
        broker.send("t", 0, "kept");
        assertThat(broker.features.gone()).isNotDone();
        broker.files.faults().failAt(FileCall.FORCE, 1, Fault.EIO);
        Asked refused = broker.ask(TestBroker.sending(TestBroker.sendHeader("t", 0, TestBroker.properties()), "lost"));
        assertThat(refused.result()).isEqualTo(ResponseCode.SERVICE_NOT_AVAILABLE);
        broker.settle();
        assertThat(goodbyes(broker)).isEqualTo(1);
        assertThat(broker.features.gone()).isCompletedWithValueMatching(reason -> reason.contains("forcing"));
        broker.pass(120_000);
        assertThat(broker.registrations.get(broker.registrations.size() - 1).code())
                .as("it does not come back")
                .isEqualTo(RequestCode.UNREGISTER_BROKER);
        assertThat(broker.store.queues().offsetRange("t", 0).maxOffset())
                .as("what was confirmed can be read")
                .isEqualTo(1);
    }

    @Test
    void aSilentNameServerDoesNotKeepIt() {
        TestBroker broker = new TestBroker(BrokerSettings.defaults());
        broker.nameServerAnswer = new CompletableFuture<>();
        broker.files.faults().failAt(FileCall.FORCE, 1, Fault.EIO);
        broker.ask(TestBroker.sending(TestBroker.sendHeader("t", 0, TestBroker.properties()), "lost"));
        assertThat(goodbyes(broker)).isEqualTo(1);
        assertThat(broker.features.gone()).isNotDone();
        broker.pass(BrokerSettings.defaults().registration().timeoutMillis() + 200);
        assertThat(broker.features.gone()).isDone();
    }
}
