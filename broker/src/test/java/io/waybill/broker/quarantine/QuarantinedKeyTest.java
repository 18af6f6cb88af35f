/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class QuarantinedKeyTest {
    private static final long NOW = Long.MAX_VALUE - 1; // the monotonic clock may pass its end

    private final QuarantinedKey key = new QuarantinedKey("orders", "a", 1, "it failed", "an operator");

    @Test
    void whatTheStoreRefusedIsTriedAgainAfterAPause() {
        assertThat(key.mayGoOn(NOW)).isTrue();

        key.stopped(NOW);
        assertThat(key.mayGoOn(NOW)).isFalse();
        assertThat(key.mayGoOn(NOW + QuarantinedKey.STOPPED_PAUSE_NANOS - 1)).isFalse();
        assertThat(key.mayGoOn(NOW + QuarantinedKey.STOPPED_PAUSE_NANOS)).isTrue();

        key.wentOn();
        assertThat(key.mayGoOn(NOW)).as("the next piece").isTrue();
    }
}
