/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.platform.Clock;
import org.junit.jupiter.api.Test;

class PendingCallsTest {
    private final PendingCalls calls = new PendingCalls("the consumer of group g");

    @Test
    void afterCloseNothingBegins() {
        assertThat(calls.tryBegin()).isTrue();
        calls.end();
        assertThat(calls.close(0, Clock.system())).isTrue();
        assertThat(calls.tryBegin()).isFalse();
        assertThatThrownBy(calls::begin).hasMessageContaining("the consumer of group g");
        assertThat(calls.isOver(() -> {})).isTrue();
    }
}
