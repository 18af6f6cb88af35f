/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.message.MessageDraft;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Limits and clear refusals; that it means what the stock filter means is proven beside that one, in the module verify. */
class SqlFilterTest {
    private static final InetSocketAddress HOST = new InetSocketAddress("127.0.0.1", 10911);

    private static ByteBuffer message(String... namesAndValues) {
        Map<String, String> properties = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            properties.put(namesAndValues[i], namesAndValues[i + 1]);
        }
        return ByteBuffer.wrap(MessageDraft.builder()
                .topic("orders")
                .bornHost(HOST)
                .storeHost(HOST)
                .body(new byte[0])
                .properties(properties)
                .build()
                .bytes());
    }

    private static boolean matches(String expression, ByteBuffer message) {
        return Filter.of(Filter.SQL92, expression).matches(message, 0);
    }

    private static void assertRefused(String expression, String... said) {
        assertThatThrownBy(() -> Filter.of(Filter.SQL92, expression))
                .isInstanceOf(BadField.class)
                .hasMessageStartingWith("subscription: must be ")
                .hasMessageContainingAll(said);
    }

    @Test
    void thePropertiesOfTheMessageAndItsTagDecide() {
        ByteBuffer paid = message("TAGS", "PAID", "amount", "120", "region", "north");
        assertThat(matches("amount > 100 AND region = 'north'", paid)).isTrue();
        assertThat(matches("amount BETWEEN 1 AND 119", paid)).isFalse();
        assertThat(matches("TAGS = 'PAID' AND region IN ('south', 'north')", paid))
                .isTrue();
        assertThat(matches("coupon = 'x'", paid)).isFalse();
        assertThat(matches("NOT (coupon = 'x')", paid))
                .as("unknown stays unknown")
                .isFalse();
        assertThat(matches("coupon IS NULL", paid)).isTrue();
    }

    @Test
    void lengthTokensDepthAndBudgetAreLimited() {
        assertRefused("a = '" + "x".repeat(5_000) + "'", "at most 4096 characters", "5006 characters");
        assertRefused("a=1" + " OR a=1".repeat(300), "at most 1024 words");
        assertRefused("(".repeat(65) + "a" + ")".repeat(65), "at most 64 levels deep");
        assertRefused("NOT ".repeat(65) + "a", "at most 64 levels deep");
        assertRefused("-".repeat(65) + "1 = a", "at most 64 levels deep");
        assertRefused("a CONTAINS 'x'" + " OR a CONTAINS 'x'".repeat(64), "at most 64 CONTAINS");
        assertRefused("a IN ('1'" + ",'1'".repeat(100_000) + ")", "at most 4096 characters");

        Filter.of(Filter.SQL92, "(".repeat(64) + "a" + ")".repeat(64));
        Filter.of(Filter.SQL92, "a=1" + " OR a=1".repeat(255));
    }

    @Test
    void theWorstExpressionOnTheWorstMessageIsDoneSoon() {
        // Each would go back for every character if the search were the simple one.
        String hard = "a".repeat(30) + "b";
        StringBuilder expression = new StringBuilder("x NOT CONTAINS '" + hard + "'");
        for (int i = 0; i < 63; i++) {
            expression.append(" AND x NOT CONTAINS '").append("a".repeat(15)).append("b'");
        }
        Filter filter = Filter.of(Filter.SQL92, expression.toString());
        ByteBuffer message = message("x", "a".repeat(32_000));
        for (int i = 0; i < 50; i++) {
            assertThat(filter.matches(message, 0)).isTrue();
        }
    }

    @Test
    @Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void nestedRangesCostNoMoreThanTheyAreLong() {
        String expression = "a BETWEEN 1 AND 2";
        for (int level = 1; level < 32; level++) {
            expression = "-(" + expression + ") BETWEEN 1 AND 2";
        }
        Filter filter = Filter.of(Filter.SQL92, expression);
        ByteBuffer message = message("a", "1");
        for (int i = 0; i < 50; i++) {
            assertThat(filter.matches(message, 0)).isFalse();
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "a = | 'the end'",
                "a ! 5 | '!' at character 3",
                "a = 'x | none for the one at character 5",
                "a > 'x' | 'x' at character 5",
                "a = NULL | IS NULL",
                "5 | a condition",
                "a BETWEEN 5 AND 1 | BETWEEN",
                "a IN () | a 'text'",
                "5 IN ('x') | a property before IN",
                "a = 9223372036854775808 | whole numbers up to",
                "a = 1e999 | numbers with a fraction",
                "a = 1 b | the end or an operator",
                "a NOT 5 | behind NOT"
            })
    void whatCannotBeReadIsNamedWithItsPlace(String expression, String said) {
        assertRefused(expression, said.replace("'the end'", "the end"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "()", "*", "((", "NOT", "/*", "'", "--", "a = ;", "\u0000", "é = 1"})
    void nothingElseThanAConditionIsTaken(String expression) {
        assertRefused(expression, "must be");
    }
}
