/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class PropertyFlagsTest {
    private static int of(String properties) {
        return PropertyFlags.of(properties.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void noDelayIsMissed() {
        for (String name :
                new String[] {"DELAY", "TIMER_DELAY_SEC", "TIMER_DELAY_MS", "TIMER_DELIVER_MS", "__STARTDELIVERTIME"}) {
            assertThat(of("A\u0001b\u0002" + name + "\u00015\u0002") & PropertyFlags.DELAY)
                    .as(name)
                    .isNotZero();
        }
        assertThat(of("TAGS\u0001a\u0002KEYS\u0001k\u0002")).isZero();
        assertThat(of("")).isZero();
    }
}
