/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.json;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.alibaba.fastjson2.JSON;
import io.waybill.protocol.frame.BadField;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    @Test
    void readsTheDialect() {
        JsonObject json =
                Json.parse("{0:\"a\",\"1\":\"b\",-2:[1,2.5,true,null,\"\\u20ac\"],{\"topic\":\"T\"}:5,{}:{{}:{}}}");
        assertThat(json.getString("0")).isEqualTo("a");
        assertThat(json.getString("1")).isEqualTo("b");
        assertThat(json.getArray("-2").values()).containsExactly(1L, 2.5, true, null, "\u20ac");
        assertThat(json.keyedByObject()).hasSize(2);
        assertThat(json.keyedByObject().get(0).getKey().getString("topic")).isEqualTo("T");
        assertThat(json.keyedByObject().get(0).getValue()).isEqualTo(5L);
        assertThat(Json.parse(json.toString())).isEqualTo(json).hasSameHashCodeAs(json);
    }

    @Test
    void equalityIgnoresTheOrderOfMembers() {
        assertThat(Json.parse("{\"a\":1,{\"x\":1}:2,{\"y\":1}:3,\"b\":[1]}"))
                .isEqualTo(Json.parse("{\"b\":[1],{\"y\":1}:3,{\"x\":1}:2,\"a\":1}"))
                .isNotEqualTo(Json.parse("{\"b\":[1],{\"y\":1}:3,{\"x\":1}:4,\"a\":1}"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "{\"a\":1",
                "{\"a\"1}",
                "{\"a\":1,}",
                "{a:1}",
                "[1]",
                "1",
                "{\"a\":01x}",
                "{\"a\":-}",
                "{\"a\":1e}",
                "{\"a\":tru}",
                "{\"a\":NaN}",
                "{\"a\":1d}",
                "{\"a\":0x10}",
                "{\"a\":\"\\x\"}",
                "{\"a\":1}}",
                "{true:1}"
            })
    void refusesWhatIsNoObject(String text) {
        assertThatThrownBy(() -> Json.parse(text)).isInstanceOf(BadField.class);
    }

    @Test
    void depthIsLimited() {
        assertThat(Json.parse("{\"a\":[[[[[[[]]]]]]]}").getArray("a").size()).isEqualTo(1);
        assertThatThrownBy(() -> Json.parse("{\"a\":[[[[[[[[]]]]]]]]}"))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("8 levels");
        assertThatThrownBy(() -> Json.parse("{".repeat(100_000))).isInstanceOf(BadField.class);
    }

    @Test
    void theNumberOfValuesIsLimited() {
        byte[] many = ("{\"a\":[" + "0,".repeat(Json.MAX_VALUES) + "0]}").getBytes(UTF_8);
        assertThatThrownBy(() -> Json.parse(many))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("" + Json.MAX_VALUES);
        assertThat(Json.parseAnswer(ByteBuffer.wrap(many)).getArray("a").size()).isEqualTo(Json.MAX_VALUES + 1);
        // What ended a process: twice 5.5 MB of nothing but values, 200 bytes of heap each.
        byte[] attack = ("{\"a\":[" + "{},".repeat(1_800_000) + "0]}").getBytes(UTF_8);
        assertThatThrownBy(() -> Json.parse(ByteBuffer.wrap(attack)))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("at most " + Json.MAX_REQUEST_LENGTH + " bytes");
    }

    @Test
    void aTableIsHandedOutMemberByMember() {
        Map<String, Object> seen = new LinkedHashMap<>();
        String text =
                "{\"x\":[{\"w\":{\"t\":{\"no\":1}}}],\"w\":{\"v\":2,\"t\":{\"a\":{\"w\":{\"t\":{\"deep\":3}}},\"b\":null},\"u\":4},\"t\":{\"no\":1}}";
        JsonObject rest = Json.parseTable(ByteBuffer.wrap(text.getBytes(UTF_8)), List.of("w", "t"), seen::put);
        assertThat(seen.keySet()).containsExactly("a", "b");
        assertThat(seen.get("a")).hasToString("{\"w\":{\"t\":{\"deep\":3}}}");
        assertThat(rest)
                .hasToString("{\"x\":[{\"w\":{\"t\":{\"no\":1}}}],\"w\":{\"v\":2,\"t\":{},\"u\":4},\"t\":{\"no\":1}}");
    }

    @Test
    void gettersConvertAndNameTheMember() {
        JsonObject json = Json.parse(
                "{\"n\":\"12\",\"t\":12,\"b\":\"TRUE\",\"d\":3.0,\"o\":{},\"big\":99999999999999999999,\"e\":\"\",\"z\":null,\"h\":1.5}");
        assertThat(json.getInt("n", 0)).isEqualTo(12);
        assertThat(json.getString("t")).isEqualTo("12");
        assertThat(json.getBoolean("b", false)).isTrue();
        assertThat(json.getLong("d", 0)).isEqualTo(3);
        assertThat(json.getLong("e", 4)).isEqualTo(4);
        assertThat(json.getLong("z", 4)).isEqualTo(4);
        assertThat(json.get("z")).isNull();
        assertThat(json.getDouble("h", 0)).isEqualTo(1.5);
        assertThatThrownBy(() -> json.getLong("h", 0))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("h:");
        assertThatThrownBy(() -> json.getLong("big", 0)).isInstanceOf(BadField.class);
        assertThatThrownBy(() -> json.getString("o")).hasMessageContaining("o:").hasMessageContaining("an object");
        assertThatThrownBy(() -> json.getArray("o")).isInstanceOf(BadField.class);
        assertThatThrownBy(() -> json.getObject("t")).isInstanceOf(BadField.class);
        assertThatThrownBy(() -> json.requireString("gone")).hasMessageContaining("missing");
        assertThatThrownBy(() -> json.requireLong("gone")).hasMessageContaining("missing");
    }

    @Test
    void writesStandardJsonTheStockLibraryReads() {
        JsonWriter json = new JsonWriter();
        json.beginObject()
                .field("text", "a\"\\\n\t\u0001\u20ac\uD83D\uDE00")
                .field("none", (String) null)
                .field("long", Long.MIN_VALUE)
                .field("double", 0.1)
                .field("odd", Double.NaN)
                .field("yes", true)
                .field("list", List.of("x", "y"))
                .field("map", Map.of("k", "v"))
                .name("empty")
                .beginArray()
                .endArray()
                .name("null")
                .value((String) null)
                .endObject();
        com.alibaba.fastjson2.JSONObject seen = JSON.parseObject(json.toByteArray());
        assertThat(seen.getString("text")).isEqualTo("a\"\\\n\t\u0001\u20ac\uD83D\uDE00");
        assertThat(seen.containsKey("none")).isFalse();
        assertThat(seen.getLongValue("long")).isEqualTo(Long.MIN_VALUE);
        assertThat(seen.getDoubleValue("double")).isEqualTo(0.1);
        assertThat(seen.getDoubleValue("odd")).isZero();
        assertThat(seen.getJSONArray("list")).containsExactly("x", "y");
        assertThat(seen.getJSONObject("map").getString("k")).isEqualTo("v");
        assertThat(Json.parse(json.toByteArray()).getString("text")).isEqualTo(seen.getString("text"));
    }

    @Test
    void writesTheDialect() {
        JsonWriter json = new JsonWriter();
        json.beginObject().bareName(0).value("a").bareName(-1).value("b");
        json.beginObject().field("q", 1).endObject().value(5);
        assertThat(json.endObject()).hasToString("{0:\"a\",-1:\"b\",{\"q\":1}:5}");
    }

    @Test
    void refusesCallsInAnImpossibleOrder() {
        assertThatThrownBy(() -> new JsonWriter().name("a")).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> new JsonWriter().beginObject().value(1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> new JsonWriter().beginObject().name("a").endObject())
                .isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> new JsonWriter().value(1).value(2)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> new JsonWriter().beginArray().toByteArray()).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> new JsonWriter().beginObject().beginArray()).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> new JsonWriter().endArray()).isInstanceOf(IllegalStateException.class);
    }
}
