/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

/** All copies of a message must be one message. */
class MessageIdentityTest {
    @Test
    void isTheProducersIdWhateverTheBrokerAdds() {
        assertThat(ProcessOnce.idOf(Delivered.message(
                        "unique", "copy", Map.of("UNIQ_KEY", "unique", "ORIGIN_MESSAGE_ID", "first"))))
                .isEqualTo("unique");
    }

    @Test
    void withoutOneIsTheFirstStoredCopy() {
        assertThat(ProcessOnce.idOf(Delivered.message("first", "first", Map.of())))
                .isEqualTo("first");
        assertThat(ProcessOnce.idOf(Delivered.message("retry", "retry", Map.of("ORIGIN_MESSAGE_ID", "first"))))
                .isEqualTo("first");
        assertThat(ProcessOnce.idOf(Delivered.message("dead", "dead", Map.of("DLQ_ORIGIN_MESSAGE_ID", "first"))))
                .isEqualTo("first");
        assertThat(ProcessOnce.idOf(Delivered.message(
                        "redriven",
                        "redriven",
                        Map.of("REDRIVEN_ORIGIN_MESSAGE_ID", "first", "ORIGIN_MESSAGE_ID", "first"))))
                .isEqualTo("first");
    }
}
