/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.message;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.WaybillException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tag expressions. */
class SubscriptionFilterTest {
    @Test
    void expressionsAreTrimmedAndCompareTheText() {
        SubscriptionFilter filter = SubscriptionFilter.parse(" CREATED || PAID||");
        assertThat(filter.matches("CREATED")).isTrue();
        assertThat(filter.matches("PAID")).isTrue();
        assertThat(filter.matches("SHIPPED")).isFalse();
        assertThat(filter.matches(null)).isFalse();
        // "Aa" and "BB" have the same hash
        assertThat(SubscriptionFilter.parse("Aa").matches("BB")).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"*", "", "  ", " * "})
    void aStarOrNothingIsEverything(String expression) {
        assertThat(SubscriptionFilter.parse(expression)).isEqualTo(SubscriptionFilter.ALL);
        assertThat(SubscriptionFilter.parse(expression).matches(null)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"||", "A || *"})
    void nonsenseIsRefused(String expression) {
        assertThatThrownBy(() -> SubscriptionFilter.parse(expression)).isInstanceOf(WaybillException.class);
    }
}
