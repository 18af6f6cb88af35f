/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.protocol.frame.BadField;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TopicConfigTest {
    private static final String WORDS = "orders 8 4 6 SINGLE_TAG";

    @Test
    void theCompactFormOfEachVersionIsRead() {
        Map<String, Map<String, String>> written = new LinkedHashMap<>();
        written.put("", Map.of()); // 4.x
        written.put(" ", Map.of()); // 5.x without attributes
        written.put(" null", Map.of());
        written.put(" {}", Map.of());
        written.put(
                " {\"message.type\":\"FIFO\",\"b\":\"two words\"} ", Map.of("message.type", "FIFO", "b", "two words"));
        written.put(" {\"a\":null,\"n\":5}", Map.of("n", "5"));
        written.forEach((attributes, expected) -> assertThat(TopicConfig.readText(WORDS + attributes))
                .isEqualTo(new TopicConfig("orders", 8, 4, 6, TopicConfig.SINGLE_TAG, 0, false, expected)));
        TopicConfig own = new TopicConfig(
                "orders", 8, 4, 6, TopicConfig.MULTI_TAG, 0, false, Map.of("message.type", "a \"b\", {}"));
        assertThat(TopicConfig.readText(own.toText())).isEqualTo(own);
    }

    @Test
    void attributesThatAreNotOneObjectOfTextsAreRefused() {
        for (String attributes : new String[] {"{},\"x\":1", "{}}", "[]", "\"x\"", "{\"a\":{}}", "{\"a\":", "x"}) {
            assertThatThrownBy(() -> TopicConfig.readText(WORDS + " " + attributes))
                    .as(attributes)
                    .isInstanceOf(BadField.class);
        }
    }
}
