/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.broker.filter.Filter;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.rocketmq.filter.SqlFilter;
import org.apache.rocketmq.filter.expression.EvaluationContext;
import org.apache.rocketmq.filter.expression.Expression;
import org.apache.rocketmq.filter.expression.MQFilterException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Our SQL92 filter beside the stock one of the same version: both accept or both refuse, and both say the same of every message. */
class StockFilterTest {
    private static final InetSocketAddress HOST = new InetSocketAddress("127.0.0.1", 10911);
    private static final int EXPRESSIONS = Integer.getInteger("waybill.expressions", 20_000);
    private static final int MESSAGES = 6;

    private static final String[] NAMES = {"a", "b", "c", "TAGS", "_x", "$y", "e5", "missing", "Note"};
    private static final String[] VALUES = {
        "0",
        "1",
        "5",
        "-5",
        "+5",
        "05",
        "5.0",
        "2.5",
        "-0.0",
        "1e3",
        " 7",
        "7 ",
        "abc",
        "it's",
        "",
        "true",
        "TRUE",
        "false",
        "NaN",
        "Infinity",
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
        "0x10",
        "5d",
        "٣",
        "żółć",
        "aaab"
    };
    private static final String[] TEXTS = {
        "'abc'", "'a'", "'5'", "''", "'it''s'", "'true'", "'2.5'", "'żółć'", "'aab'", "'0'"
    };
    private static final String[] NUMBERS = {
        "0",
        "1",
        "5",
        "5L",
        "2.5",
        "5.",
        ".5",
        "1e3",
        "1.0E-2",
        "2147483647",
        "2147483648",
        "9223372036854775807",
        "7l",
        "5e0",
        "00",
        "0.0",
        "1e400",
        "9223372036854775808",
        "5e"
    };
    private static final String[] SPACES = {" ", " ", " ", "  ", "\t", "\n", " /* x * / */ ", " -- note\n", ""};
    private static final String[] SALAD = {
        "NOT",
        "AND",
        "OR",
        "BETWEEN",
        "IN",
        "TRUE",
        "FALSE",
        "NULL",
        "IS",
        "CONTAINS",
        "STARTSWITH",
        "ENDSWITH",
        "=",
        "<>",
        ">",
        ">=",
        "<",
        "<=",
        "(",
        ")",
        ",",
        "+",
        "-",
        "!",
        "==",
        "'",
        "like",
        "not",
        "and",
        "--",
        "/*",
        "*/",
        ";"
    };

    private final Random random = new Random(Long.getLong("waybill.seed", 92));

    @Test
    void randomExpressionsMeanTheSame() {
        int accepted = 0;
        int matched = 0;
        int refused = 0;
        int longer = 0;
        for (int i = 0; i < EXPRESSIONS; i++) {
            String inside = random.nextInt(4) == 0 ? disturbed(condition(3)) : condition(1 + random.nextInt(4));
            // In parentheses the stock filter reads to the end; else it takes what it has at the first word that cannot
            // go on.
            String expression = "(" + inside + "\n)";
            Expression stock = stock(expression);
            Filter ours;
            try {
                ours = Filter.of(Filter.SQL92, expression);
            } catch (BadField e) {
                if (stock != null && (closesEarly(inside) || e.getMessage().contains("the end or an operator"))) {
                    longer++;
                } else {
                    assertThat(stock)
                            .as("refused only here: %s: %s", expression, e.getMessage())
                            .isNull();
                    refused++;
                }
                continue;
            }
            assertThat(stock).as("accepted only here: %s", expression).isNotNull();
            accepted++;
            for (int m = 0; m < MESSAGES; m++) {
                Map<String, String> properties = properties();
                boolean verdict = verdict(stock, properties);
                assertThat(matches(ours, properties))
                        .as("%s on %s", expression, properties)
                        .isEqualTo(verdict);
                matched += verdict ? 1 : 0;
            }
        }
        assertThat(accepted).as("evidence: accepted").isGreaterThan(EXPRESSIONS / 3);
        assertThat(refused).as("evidence: refused").isGreaterThan(EXPRESSIONS / 20);
        assertThat(matched).as("evidence: matched").isGreaterThan(EXPRESSIONS / 3);
        assertThat(longer).as("refused here for what follows the condition").isLessThan(EXPRESSIONS / 20);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a = 5 limit 3", "a = 05", "a LIKE 'x'", "a = 5 )", "a = 0x10", "a = 5 -- no line end"})
    void whatFollowsAConditionIsRefusedHereAndIgnoredThere(String expression) {
        assertThat(stock(expression)).isNotNull();
        assertThatThrownBy(() -> Filter.of(Filter.SQL92, expression))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("at character");
    }

    private static boolean closesEarly(String text) {
        int depth = 0;
        for (char c : text.replaceAll("(?s)/\\*.*?\\*/|'[^']*'", " ").toCharArray()) {
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
            if (depth < 0) {
                return true;
            }
        }
        return false;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a = 5",
                "a <> 5",
                "a > 4 AND a < 6",
                "a BETWEEN 1 AND 10",
                "a NOT BETWEEN 1 AND 3",
                "a IN ('5', 'x')",
                "a NOT IN ('7')",
                "a IS NULL",
                "a IS NOT NULL",
                "q IS NULL",
                "NOT (q = 'x')",
                "q <> 'x'",
                "q = 'x' OR a = 5",
                "s CONTAINS 'aab'",
                "s NOT CONTAINS 'aab'",
                "q NOT CONTAINS 'x'",
                "s STARTSWITH 'aa'",
                "s NOT STARTSWITH 'b'",
                "s ENDSWITH 'ab'",
                "s NOT ENDSWITH 'x'",
                "NOT s CONTAINS 'aab'",
                "t = TRUE",
                "t = FALSE",
                "TRUE = t",
                "t",
                "NOT t",
                "d > 2.4",
                "d > 2",
                "a = -5",
                "a = +5",
                "a = 5L",
                "-a = 5",
                "TAGS = 'TagA'",
                "TAGS IN ('TagA','TagB')",
                "(a = 5) = TRUE",
                "1 = q",
                "NOT (1 = q)",
                "a = d",
                "a < d",
                "'x' = TRUE",
                "TRUE",
                "NULL",
                "FALSE OR TRUE"
            })
    void expressionsAsUsersWriteThemMeanTheSame(String expression) {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put("a", "5");
        properties.put("d", "2.5");
        properties.put("s", "aaab");
        properties.put("t", "true");
        properties.put("TAGS", "TagA");
        assertThat(matches(Filter.of(Filter.SQL92, expression), properties))
                .isEqualTo(verdict(stock(expression), properties));
    }

    // ---- expressions

    private String condition(int depth) {
        switch (random.nextInt(depth > 0 ? 14 : 9)) {
            case 0:
                return operand() + space() + pick("=", "<>", ">", ">=", "<", "<=") + space() + operand();
            case 1:
                return name() + gap() + not() + pick("BETWEEN", "between") + gap() + operand() + gap() + "AND" + gap()
                        + operand();
            case 2:
                return name() + gap() + not() + "IN" + space() + "(" + list() + ")";
            case 3:
                return operand() + gap() + "IS" + gap() + not() + "NULL";
            case 4:
                return operand()
                        + gap()
                        + not()
                        + pick("CONTAINS", "STARTSWITH", "ENDSWITH", "startsWith")
                        + gap()
                        + pick(TEXTS);
            case 5:
                return pick("TRUE", "FALSE", "NULL", name());
            case 6:
            case 7:
                return name() + space() + pick("=", "<>", ">", "<=") + space() + pick(NUMBERS);
            case 8:
                return name() + space() + pick("=", "<>") + space() + pick("TRUE", "FALSE", pick(TEXTS));
            case 9:
            case 10:
                return condition(depth - 1) + gap() + pick("AND", "and") + gap() + condition(depth - 1);
            case 11:
                return condition(depth - 1) + gap() + pick("OR", "Or") + gap() + condition(depth - 1);
            case 12:
                return "NOT" + gap() + pick("", "(") + condition(depth - 1) + ")".repeat(random.nextInt(2));
            default:
                return "(" + space() + condition(depth - 1) + space() + ")";
        }
    }

    private String operand() {
        return switch (random.nextInt(10)) {
            case 0, 1, 2, 3 -> name();
            case 4, 5, 6 -> pick(NUMBERS);
            case 7 -> pick(TEXTS);
            case 8 -> pick("-", "- ", "+", "NOT ") + operand();
            default -> random.nextBoolean() ? pick("TRUE", "FALSE", "NULL") : "(" + condition(0) + ")";
        };
    }

    private String list() {
        StringBuilder list = new StringBuilder(pick(TEXTS));
        for (int i = random.nextInt(7); i > 0; i--) {
            list.append(space()).append(',').append(pick(TEXTS));
        }
        return list.toString();
    }

    /** One word taken out, put in or exchanged. */
    private String disturbed(String expression) {
        List<String> words = new ArrayList<>(List.of(expression.split("(?<= )|(?= )")));
        int at = random.nextInt(words.size());
        if (random.nextInt(3) == 0) {
            words.remove(at);
        } else if (random.nextBoolean()) {
            words.set(at, pick(SALAD));
        } else {
            words.add(at, " " + pick(SALAD) + " ");
        }
        return String.join("", words);
    }

    private String name() {
        return pick(NAMES);
    }

    private String not() {
        return random.nextInt(3) == 0 ? "NOT" + gap() : "";
    }

    private String space() {
        return pick(SPACES);
    }

    private String gap() {
        String space = space();
        return space.isEmpty() ? " " : space;
    }

    private String pick(String... choices) {
        return choices[random.nextInt(choices.length)];
    }

    private Map<String, String> properties() {
        Map<String, String> properties = new LinkedHashMap<>();
        for (String name : NAMES) {
            if (!name.equals("missing") && random.nextInt(3) > 0) {
                properties.put(name, pick(VALUES));
            }
        }
        properties.put("other", "x");
        return properties;
    }

    // ---- verdicts

    private static Expression stock(String expression) {
        try {
            return new SqlFilter().compile(expression);
        } catch (MQFilterException e) {
            return null;
        }
    }

    private static boolean verdict(Expression stock, Map<String, String> properties) {
        Map<String, String> read = MessageProperties.decode(MessageProperties.encode(properties));
        try {
            return Boolean.TRUE.equals(stock.evaluate(new EvaluationContext() {
                @Override
                public Object get(String name) {
                    return read.get(name);
                }

                @Override
                public Map<String, Object> keyValues() {
                    return new LinkedHashMap<>(read);
                }
            }));
        } catch (Exception e) {
            return false; // as the stock broker: what cannot be evaluated does not match
        }
    }

    private static boolean matches(Filter filter, Map<String, String> properties) {
        MessageDraft draft = MessageDraft.builder()
                .topic("orders")
                .bornHost(HOST)
                .storeHost(HOST)
                .body(new byte[] {1, 2, 3})
                .properties(properties)
                .build();
        return filter.matches(ByteBuffer.wrap(draft.bytes()), 0);
    }
}
