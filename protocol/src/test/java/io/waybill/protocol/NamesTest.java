/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NamesTest {
    @ParameterizedTest
    @ValueSource(strings = {"T", "order-events_1", "%RETRY%g", "a|b", "TBW102"})
    void goodTopics(String name) {
        assertThat(Names.checkTopic(name)).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "a b", "../../x", "..", "a/b", "a.b", "\u00e9", "a\u0000", "a\n"})
    void badTopics(String name) {
        assertThat(Names.checkTopic(name)).startsWith("topic: m");
    }

    @Test
    void lengths() {
        assertThat(Names.checkTopic(null)).isNotNull();
        assertThat(Names.checkTopic("t".repeat(127))).isNull();
        assertThat(Names.checkTopic("t".repeat(128))).contains("127").contains("128");
        String group = "g".repeat(Names.MAX_GROUP_LENGTH);
        assertThat(Names.checkGroup(group)).isNull();
        assertThat(Names.checkGroup(group + "g")).contains("248").contains("249");
        assertThat(Names.checkTopic(Names.retryTopic(group))).isNull();
        assertThat(Names.checkTopic(Names.deadLetterTopic(group))).isNull();
    }

    @Test
    void kinds() {
        assertThat(Names.groupOf("%RETRY%g")).isEqualTo("g");
        assertThat(Names.groupOf("%DLQ%g")).isEqualTo("g");
        assertThat(Names.groupOf("T")).isNull();
        assertThat(Names.isSystemTopic("rmq_sys_wheel_timer")).isTrue();
        assertThat(Names.isSystemTopic("TBW102")).isTrue();
        assertThat(Names.isSendForbidden("TBW102")).isFalse();
        assertThat(Names.isSendForbidden("SCHEDULE_TOPIC_XXXX")).isTrue();
        assertThat(Names.isSystemTopic("orders")).isFalse();
    }
}
