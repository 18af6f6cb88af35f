/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.house;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.server.EmbeddedBroker;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.netty.NettyRemotingClient;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** docs/compatibility.md says what is so: each code is answered as the table says, and each test it names exists. */
@Tag("end-to-end")
class CompatibilityPageTest {
    private static final Pattern ROW = Pattern.compile("\\| (\\d+) \\| (\\w+) \\| ([\\w ]+) \\| (yes|no) \\| (.*) \\|");
    private static final Pattern TEST = Pattern.compile("`(\\w+Test)\\.(\\w+)`");
    private static final int NOT_SUPPORTED = 3;
    private static final long TIMEOUT_MILLIS = 20_000;

    private record Row(String name, String side, boolean works, String why) {}

    private static Path root;
    private static List<String> lines;
    private static final Map<Integer, Row> rows = new TreeMap<>();

    @BeforeAll
    static void read() throws IOException {
        root = Path.of("").toAbsolutePath().getParent();
        lines = Files.readAllLines(root.resolve("docs/compatibility.md"));
        for (String line : lines) {
            Matcher row = ROW.matcher(line);
            if (row.matches()) {
                rows.put(
                        Integer.parseInt(row.group(1)),
                        new Row(row.group(2), row.group(3), row.group(4).equals("yes"), row.group(5)));
            }
        }
    }

    @Test
    void everyCodeOfTheProtocolIsInTheTableUnderItsName() throws Exception {
        Map<Integer, String> names = new TreeMap<>();
        for (Field field : RequestCode.class.getFields()) {
            if (Modifier.isStatic(field.getModifiers()) && field.getType() == int.class) {
                names.put(field.getInt(null), field.getName());
            }
        }
        Map<Integer, String> named = new TreeMap<>();
        rows.forEach((code, row) -> named.put(code, row.name()));
        assertThat(named).isEqualTo(names);
    }

    @Test
    void everyCodeIsAnsweredAsTheTableSays() throws Exception {
        TreeSet<String> wrong = new TreeSet<>();
        NettyRemotingClient client = new NettyRemotingClient(new NettyClientConfig());
        try (EmbeddedBroker broker = EmbeddedBroker.start()) {
            client.start();
            for (Map.Entry<Integer, Row> entry : rows.entrySet()) {
                Row row = entry.getValue();
                if (row.side().equals("to client")) {
                    continue;
                }
                // Without a field and a body each handler refuses, by any code but 3.
                RemotingCommand request = RemotingCommand.createRequestCommand(entry.getKey(), null);
                String address = row.side().equals("NS") ? broker.namesrvAddress() : broker.brokerAddress();
                RemotingCommand reply = client.invokeSync(address, request, TIMEOUT_MILLIS);
                boolean bound = reply.getCode() != NOT_SUPPORTED;
                if (bound != (row.works() || row.why().startsWith("bound"))) {
                    wrong.add(entry.getKey() + " " + row.name() + " is answered with " + reply.getCode() + " "
                            + reply.getRemark());
                }
            }
        } finally {
            client.shutdown();
        }
        assertThat(wrong).isEmpty();
    }

    @Test
    void everyTestThePageNamesExists() throws IOException {
        Map<String, String> sources = new HashMap<>();
        try (Stream<Path> modules = Files.list(root)) {
            for (Path tests :
                    modules.map(module -> module.resolve("src/test/java")).toList()) {
                if (Files.isDirectory(tests)) {
                    read(tests, sources);
                }
            }
        }
        TreeSet<String> missing = new TreeSet<>();
        int named = 0;
        for (String line : lines) {
            Matcher test = TEST.matcher(line);
            while (test.find()) {
                named++;
                String source = sources.getOrDefault(test.group(1), "");
                if (!Pattern.compile("@Test\\s+void " + test.group(2) + "\\(")
                        .matcher(source)
                        .find()) {
                    missing.add(test.group());
                }
            }
        }
        assertThat(missing).isEmpty();
        assertThat(named).isGreaterThan(100);
    }

    private static void read(Path tests, Map<String, String> sources) throws IOException {
        try (Stream<Path> files = Files.walk(tests)) {
            for (Path file :
                    files.filter(path -> path.toString().endsWith("Test.java")).toList()) {
                String name = file.getFileName().toString();
                sources.put(name.substring(0, name.length() - ".java".length()), Files.readString(file));
            }
        }
    }

    @Test
    void whatWorksHasATestAndWhatDoesNotHasAReason() {
        List<String> bare = lines.stream()
                .filter(line ->
                        line.contains("| yes |") && !TEST.matcher(line).find() || line.matches(".*\\| no \\|\\s*\\|"))
                .toList();
        assertThat(bare).isEmpty();
    }
}
