/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.internal.id.UniqueIds;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a message must be like, and its identity. */
class MessageTest {
    @Test
    void idsDifferAndMakeIdentity() {
        Set<String> ids = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            ids.add(UniqueIds.next());
        }
        assertThat(ids).hasSize(10_000);
        Message one = Message.to("t").body("x").build();
        assertThat(one).isEqualTo(one).isNotEqualTo(Message.to("t").body("x").build());
    }

    @Test
    void theFirstMistakeIsNamedBeforeAnythingIsSent() {
        refused(Message.to("a topic").body("x"), "topic");
        refused(Message.to("t"), "body");
        refused(Message.to("t").body(""), "body");
        refused(Message.to("t").body(new byte[(4 << 20) + 1]), "4194305 bytes");
        refused(Message.to("t").body("x").tag("A|B"), "tag");
        refused(Message.to("t").body("x").key("two words"), "key");
        refused(Message.to("t").body("x").property("TAGS", "a"), "property name");
        refused(Message.to("t").body("x").property("a", ""), "property a");
        refused(Message.to("t").body("x").property("a", "x\u0001y"), "property a");
        refused(Message.to("t").body("x").queue(new MessageQueue("other", "b", 0)), "queue");
        refused(Message.to("t").body("x").deliverAfter(Duration.ofMillis(-1)), "deliverAfter");
        refused(Message.to("t").body("x").deliverAfter(Duration.ofSeconds(1)).deliverAt(Instant.EPOCH), "delay");
    }

    private void refused(Message.Builder builder, String field) {
        assertThatThrownBy(builder::build)
                .isInstanceOfSatisfying(WaybillException.class, e -> {
                    assertThat(e.kind()).isEqualTo(WaybillException.Kind.INVALID);
                    assertThat(e.mayHaveBeenStored()).isFalse();
                })
                .hasMessageContaining(field);
    }
}
