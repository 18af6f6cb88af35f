/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class NameConflictTest {
    private final TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private static CompletableFuture<Command> answer(int code, String remark, String heldBy) {
        return CompletableFuture.completedFuture(
                Command.response(code, remark).field("heldBy", heldBy).build());
    }

    @Test
    void aConflictIsToldWhenItBeginsAndWhenItEnds() {
        List<String> told = broker.nameConflicts;
        broker.nameServerAnswer = answer(ResponseCode.SYSTEM_ERROR, "broker broker-a lives at h:1", "h:1");
        broker.pass(60_000);
        assertThat(told).singleElement().asString().contains("broker broker-a lives at h:1");
        assertThat(broker.features.nameConflict()).isEqualTo(told.get(0));
        broker.nameServerAnswer = CompletableFuture.failedFuture(new IllegalStateException("down"));
        broker.pass(60_000);
        assertThat(broker.features.nameConflict()).as("silence says nothing").isNotNull();
        broker.nameServerAnswer = answer(ResponseCode.SUCCESS, null, null);
        broker.pass(60_000);
        assertThat(told).hasSize(2).endsWith((String) null);
        assertThat(broker.features.nameConflict()).isNull();
    }

    @Test
    void otherRefusalsAreNoConflict() {
        broker.nameServerAnswer = answer(ResponseCode.SYSTEM_ERROR, "there are 1000 living brokers", null);
        broker.pass(60_000);
        assertThat(broker.features.nameConflict()).isNull();
    }

    @Test
    void theStoreKeepsItsOwnersNameOverACrash() throws NameTaken {
        StoreOwner.check(broker.store.catalog(), "broker-a");
        broker.settle();
        broker.crash(3);
        StoreOwner.check(broker.store.catalog(), "broker-a");
        assertThatThrownBy(() -> StoreOwner.check(broker.store.catalog(), "broker-b"))
                .isInstanceOf(NameTaken.class)
                .hasMessageContaining("'broker-a', not to 'broker-b'");
    }
}
