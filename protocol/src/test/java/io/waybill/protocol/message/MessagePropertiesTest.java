/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MessagePropertiesTest {
    private static byte[] text(String readable) {
        return readable.replace('=', '\u0001').replace(';', '\u0002').getBytes(UTF_8);
    }

    @Test
    void encodesInOrderWithALastSeparator() {
        Map<String, String> map = new LinkedHashMap<>();
        map.put("b", "2");
        map.put("empty", "");
        map.put("none", null);
        map.put("a", "\u20ac");
        assertThat(MessageProperties.encode(map)).isEqualTo(text("b=2;a=\u20ac;"));
        assertThat(MessageProperties.encode(Map.of())).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ";",
                "a=1",
                "a=1;",
                ";;a=1;;b=2;;",
                "a=1;b=2;a=3",
                "=x;a=;b;c=d=e;=;==;",
                "a;b=;c=1",
                "aa=1;a=2;aaa=3;",
                "=;a=b",
                "a==;",
                "\u00e9=1;\u20ac=\u00e9;",
                "ab=1;abc=2"
            })
    void lookUpsAgreeWithDecoding(String readable) {
        byte[] encoded = text(readable);
        Map<String, String> decoded = MessageProperties.decode(encoded);
        for (String name : new String[] {"a", "b", "c", "aa", "aaa", "ab", "abc", "\u00e9", "\u20ac", "x", ""}) {
            assertThat(MessageProperties.get(encoded, name)).as(name).isEqualTo(decoded.get(name));
            assertThat(MessageProperties.has(encoded, name)).isEqualTo(decoded.containsKey(name));
            if (!name.isEmpty()) {
                Map<String, String> changed = new LinkedHashMap<>(decoded);
                changed.put(name, "new");
                assertThat(MessageProperties.decode(MessageProperties.with(encoded, name, "new")))
                        .isEqualTo(changed);
                changed.remove(name);
                assertThat(MessageProperties.decode(MessageProperties.without(encoded, name)))
                        .isEqualTo(changed);
            }
        }
    }

    @Test
    void badPiecesAreDroppedAndTheLastOfEqualNamesHolds() {
        assertThat(MessageProperties.decode(text("=x;a=;b;c=d=e;c=f;"))).containsOnly(Map.entry("c", "f"));
        assertThat(MessageProperties.decode(text("c=d=e"))).containsEntry("c", "d\u0001e");
    }

    @Test
    void truth() {
        assertThat(MessageProperties.isTrue(text("a=True"), "a")).isTrue();
        assertThat(MessageProperties.isTrue(text("a=trux"), "a")).isFalse();
        assertThat(MessageProperties.isTrue(text("a=1"), "a")).isFalse();
        assertThat(MessageProperties.isTrue(text("b=true"), "a")).isFalse();
    }

    @Test
    void whatCannotBeReadBackIsNotWritten() {
        assertThatThrownBy(() -> MessageProperties.encode(Map.of("a\u0001b", "c")))
                .isInstanceOf(BadValue.class);
        assertThatThrownBy(() -> MessageProperties.encode(Map.of("", "c"))).isInstanceOf(BadValue.class);
        assertThatThrownBy(() -> MessageProperties.with(new byte[0], "a", "x\u0002y"))
                .isInstanceOf(BadValue.class);
        assertThatThrownBy(() -> MessageProperties.encode(Map.of("a", "x".repeat(32_767))))
                .isInstanceOf(BadValue.class)
                .hasMessageContaining("32767");
    }
}
