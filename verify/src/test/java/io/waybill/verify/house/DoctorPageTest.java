/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.house;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Evidence.Fact;
import io.waybill.client.Groups.Cause;
import io.waybill.client.Groups.SubCause;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Broker, client and docs/wire-protocol.md name the same causes, sub-causes and facts of a diagnosis, and the same types of the facts. */
class DoctorPageTest {
    private static final Path PAGE = Path.of("").toAbsolutePath().getParent().resolve("docs/wire-protocol.md");

    private final String doctor = doctor();

    private static String doctor() {
        try {
            String page = Files.readString(PAGE);
            return page.substring(page.indexOf("*Doctor.*"), page.indexOf("*Trace.*"));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static Object[] ofBroker(String type) throws ReflectiveOperationException {
        return Class.forName("io.waybill.broker.insight." + type).getEnumConstants();
    }

    private static Set<String> names(Object[] constants) {
        Set<String> names = new TreeSet<>();
        Arrays.stream(constants).map(Object::toString).forEach(names::add);
        return names;
    }

    private Set<String> column(int number) {
        Set<String> names = new TreeSet<>();
        for (String line : doctor.split("\n")) {
            String[] cells = line.split("\\|");
            if (cells.length > number && !cells[1].contains("Cause")) {
                Matcher name = Pattern.compile("\\b[A-Z][A-Z_]{2,}\\b").matcher(cells[number]);
                while (name.find()) {
                    names.add(name.group());
                }
            }
        }
        return names;
    }

    @Test
    void theCausesAreTheSame() throws ReflectiveOperationException {
        Set<String> client = names(Cause.values());
        client.remove("OTHER");
        assertThat(names(ofBroker("Cause"))).isEqualTo(client).isEqualTo(column(1));
    }

    @Test
    void theSubCausesAreTheSame() throws ReflectiveOperationException {
        Set<String> client = names(SubCause.values());
        client.remove("OTHER");
        assertThat(names(ofBroker("SubCause"))).isEqualTo(client).isEqualTo(column(2));
    }

    @Test
    void theFactsAreTheSame() throws ReflectiveOperationException {
        Map<String, String> broker = new TreeMap<>();
        for (Object fact : ofBroker("Fact")) {
            broker.put(told(fact, "wireName"), told(fact, "type"));
        }
        Map<String, String> client = new TreeMap<>();
        for (Fact fact : Fact.values()) {
            client.put(fact.wireName(), fact.type().name());
        }
        Map<String, String> page = new TreeMap<>();
        String type = null;
        for (String line : doctor.split("\n")) {
            if (line.startsWith("    ")) {
                Matcher first = Pattern.compile(" {4}([A-Z]+)").matcher(line);
                type = first.lookingAt() ? first.group(1) : type;
                for (String name : line.replaceFirst(" {4}[A-Z]*", "").trim().split("[, ]+")) {
                    page.put(name, type);
                }
            }
        }
        assertThat(broker).isEqualTo(client).isEqualTo(page);
        String table = doctor.substring(0, doctor.indexOf("Types of the facts"));
        assertThat(broker.keySet())
                .as("each comes with a cause")
                .allMatch(name ->
                        Pattern.compile("\\b" + name + "\\b").matcher(table).find());
    }

    private static String told(Object fact, String method) throws ReflectiveOperationException {
        Method asked = fact.getClass().getDeclaredMethod(method);
        asked.setAccessible(true);
        return asked.invoke(fact).toString();
    }
}
