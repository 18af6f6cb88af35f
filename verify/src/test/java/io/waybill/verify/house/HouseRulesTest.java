/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.house;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Read from the compiled classes by jdeps and from the sources; nothing is loaded or run. */
class HouseRulesTest {
    /** The arrows that may exist, module to module; what is not here may not. */
    private static final Map<String, Set<String>> ARROWS = Map.ofEntries(
            Map.entry("platform", Set.of()),
            Map.entry("protocol", Set.of()),
            Map.entry("remoting", Set.of("protocol", "platform")),
            Map.entry("store", Set.of("platform", "protocol")),
            Map.entry("namesrv", Set.of("remoting", "protocol", "platform")),
            Map.entry("broker", Set.of("store", "remoting", "protocol", "platform")),
            Map.entry("client", Set.of("remoting", "protocol", "platform")),
            Map.entry("server", Set.of("namesrv", "broker", "remoting", "protocol", "platform", "store")),
            Map.entry("client-jdbc", Set.of("client")),
            Map.entry("example", Set.of("client", "client-jdbc")),
            Map.entry(
                    "cli",
                    Set.of(
                            "server",
                            "client",
                            "client-jdbc",
                            "example",
                            "broker",
                            "namesrv",
                            "store",
                            "remoting",
                            "protocol",
                            "platform")));

    /** Library package prefix -> the one package that may import it (databases: the library's and the example's). */
    private static final Map<String, Set<String>> LIBRARIES = Map.of(
            "io.netty", Set.of("io.waybill.remoting"),
            "org.rocksdb", Set.of("io.waybill.store.view"),
            "com.alibaba.fastjson2", Set.of("io.waybill.protocol.json"),
            "org.jctools", Set.of("io.waybill.store.log"),
            "net.jpountz", Set.of("io.waybill.client.internal.message"),
            "com.github.luben", Set.of("io.waybill.client.internal.message"),
            "java.sql", Set.of("io.waybill.client.jdbc", "io.waybill.example"),
            "javax.sql", Set.of("io.waybill.client.jdbc", "io.waybill.example"),
            "org.h2", Set.of("io.waybill.example"));

    private static Path root;
    /** Class -> classes it uses, of the main classes of all modules. */
    private static final Map<String, Set<String>> uses = new TreeMap<>();

    private static final Map<String, String> moduleOf = new LinkedHashMap<>();

    @BeforeAll
    static void read() throws IOException {
        root = Path.of("").toAbsolutePath().getParent();
        Pattern line = Pattern.compile("^\\s+(\\S+)\\s+->\\s+(\\S+)\\s+.*$");
        for (String module : ARROWS.keySet()) {
            Path classes = root.resolve(module).resolve("target/classes");
            StringWriter out = new StringWriter();
            int code = ToolProvider.findFirst("jdeps")
                    .orElseThrow()
                    .run(
                            new PrintWriter(out),
                            new PrintWriter(out),
                            "-verbose:class",
                            "-filter:none",
                            "--multi-release",
                            "17",
                            classes.toString());
            assertThat(code).as("jdeps on %s: %s", module, out).isZero();
            for (String text : out.toString().split("\n")) {
                Matcher match = line.matcher(text);
                if (match.matches() && match.group(1).startsWith("io.waybill.")) {
                    uses.computeIfAbsent(match.group(1), name -> new TreeSet<>())
                            .add(match.group(2));
                    moduleOf.put(match.group(1), module);
                }
            }
        }
        assertThat(moduleOf.values()).containsAll(ARROWS.keySet());
    }

    @Test
    void modulesUseOnlyWhatTheMapAllows() {
        List<String> wrong = new ArrayList<>();
        uses.forEach((from, targets) -> targets.forEach(to -> {
            String toModule = moduleOf.get(to);
            String fromModule = moduleOf.get(from);
            if (toModule != null
                    && !toModule.equals(fromModule)
                    && !ARROWS.get(fromModule).contains(toModule)) {
                wrong.add(from + " -> " + to);
            }
        }));
        assertThat(wrong).isEmpty();
    }

    @Test
    void theStoreKnowsOnlyTheMessageLayoutOfTheProtocol() {
        assertThat(arrows(
                        from -> "store".equals(moduleOf.get(from)),
                        to -> to.startsWith("io.waybill.protocol.") && !to.startsWith("io.waybill.protocol.message.")))
                .isEmpty();
    }

    /** The log calls what it is applied to through interfaces of store.record; Store binds the two. */
    @Test
    void theLogAndTheViewsKnowTheRecordsAndNotEachOther() {
        String log = "io.waybill.store.log.";
        String view = "io.waybill.store.view.";
        String record = "io.waybill.store.record.";
        assertThat(arrows(from -> from.startsWith(log), to -> to.startsWith(view)))
                .isEmpty();
        assertThat(arrows(from -> from.startsWith(view), to -> to.startsWith(log)))
                .isEmpty();
        assertThat(arrows(
                        from -> from.startsWith(record),
                        to -> to.startsWith("io.waybill.store.") && !to.startsWith(record)))
                .isEmpty();
        assertThat(arrows(
                        from -> from.startsWith(log) || from.startsWith(view),
                        to -> to.matches("io\\.waybill\\.store\\.[A-Z].*")))
                .isEmpty();
    }

    @Test
    void recordsOfTheStoreKnowNeitherLogNorViewsAndViewsKnowNoLog() {
        assertThat(arrows(
                        from -> from.startsWith("io.waybill.store.record."),
                        to -> to.startsWith("io.waybill.store.") && !to.startsWith("io.waybill.store.record.")))
                .isEmpty();
        assertThat(arrows(
                        from -> from.startsWith("io.waybill.store.view."),
                        to -> to.startsWith("io.waybill.store.log.")))
                .isEmpty();
    }

    /** Who opens the store and who puts the features together know it; a feature gets only those of its doors that it uses. */
    @Test
    void inTheBrokerOnlyTheCompositionKnowsTheWholeStore() {
        Set<String> knowing = Set.of("io.waybill.broker.Broker", "io.waybill.broker.Features");
        assertThat(arrows(
                        from -> "broker".equals(moduleOf.get(from))
                                && !knowing.contains(from.replaceFirst("\\$.*", "")),
                        to -> to.equals("io.waybill.store.Store")))
                .isEmpty();
    }

    @Test
    void packagesOfTheBrokerStandInAWingAndUseNoHigherOne() {
        Set<String> homeless = new TreeSet<>();
        Set<String> upwards = new TreeSet<>();
        String broker = "io.waybill.broker.";
        arrows(from -> from.startsWith(broker), to -> to.startsWith(broker)).forEach(arrow -> {
            String from = packageOf(arrow.substring(0, arrow.indexOf(" -> ")));
            String to = packageOf(arrow.substring(arrow.indexOf(" -> ") + 4));
            if (from.startsWith(broker) && to.startsWith(broker)) {
                if (HouseFigures.wing(from) < 0) {
                    homeless.add(from);
                } else if (HouseFigures.wing(from) < HouseFigures.wing(to)) {
                    upwards.add(from.substring(broker.length()) + " -> " + to.substring(broker.length()));
                }
            }
        });
        assertThat(homeless).as("packages in no wing; see HouseFigures.WINGS").isEmpty();
        assertThat(upwards).isEmpty();
    }

    @Test
    void theInsideOfTheClientIsUsedByItsFaceOnly() {
        assertThat(arrows(
                        from -> !"client".equals(moduleOf.get(from)),
                        to -> to.startsWith("io.waybill.client.internal.")))
                .isEmpty();
    }

    /** ADR 0034: the face finds what implements it by the service loader; of the inside it knows only how ids are drawn. */
    @Test
    void theFaceOfTheClientDoesNotKnowItsInside() {
        assertThat(arrows(
                        from -> packageOf(from).equals("io.waybill.client"),
                        to -> to.startsWith("io.waybill.client.internal.")
                                && !packageOf(to).equals("io.waybill.client.internal.id")))
                .isEmpty();
    }

    @Test
    void packagesHaveNoCycles() {
        Map<String, Set<String>> packages = new TreeMap<>();
        uses.forEach((from, targets) -> targets.stream()
                .filter(moduleOf::containsKey)
                .map(HouseRulesTest::packageOf)
                .filter(to -> !to.equals(packageOf(from)))
                .forEach(to -> packages.computeIfAbsent(packageOf(from), name -> new TreeSet<>())
                        .add(to)));
        List<String> cycles = new ArrayList<>();
        for (String start : packages.keySet()) {
            Deque<List<String>> paths = new ArrayDeque<>();
            paths.add(List.of(start));
            Set<String> seen = new TreeSet<>();
            while (!paths.isEmpty()) {
                List<String> path = paths.poll();
                for (String next : packages.getOrDefault(path.get(path.size() - 1), Set.of())) {
                    if (next.equals(start)) {
                        cycles.add(String.join(" -> ", path) + " -> " + start);
                    } else if (seen.add(next)) {
                        List<String> longer = new ArrayList<>(path);
                        longer.add(next);
                        paths.add(longer);
                    }
                }
            }
        }
        assertThat(cycles).isEmpty();
    }

    @Test
    void aLibraryIsImportedInOnePackage() {
        Set<String> packages = moduleOf.keySet().stream()
                .map(HouseRulesTest::packageOf)
                .collect(Collectors.toCollection(TreeSet::new));
        assertThat(packages)
                .containsAll(LIBRARIES.values().stream().flatMap(Set::stream).collect(Collectors.toSet()));
        LIBRARIES.forEach((library, owners) -> assertThat(
                        arrows(from -> !owners.contains(packageOf(from)), to -> to.startsWith(library + ".")))
                .as("%s belongs to %s", library, owners)
                .isEmpty());
        assertThat(arrows(from -> !"cli".equals(moduleOf.get(from)), to -> to.startsWith("picocli.")))
                .isEmpty();
    }

    @Test
    void onlyThePlatformAsksTheMachine() throws IOException {
        Pattern machine = Pattern.compile(
                "System\\.currentTimeMillis|System\\.nanoTime|Instant\\.now\\(\\)|new Thread\\("
                        + "|Thread\\.sleep|Executors\\.|ThreadLocalRandom|new Random\\(|Math\\.random|UUID\\.randomUUID"
                        + "|FileChannel|RandomAccessFile|FileOutputStream|FileInputStream|java\\.util\\.Timer\\b|ForkJoinPool");
        List<String> wrong = new ArrayList<>();
        for (String module : ARROWS.keySet()) {
            // Programs at the very edge (the command, its examples) start and stop processes and print; they are no
            // part of the house.
            if (module.equals("platform") || module.equals("cli") || module.equals("example")) {
                continue;
            }
            for (Path file : sources(root.resolve(module).resolve("src/main/java"))) {
                int number = 0;
                for (String text : Files.readAllLines(file, StandardCharsets.UTF_8)) {
                    number++;
                    if (!text.strip().startsWith("*")
                            && !text.strip().startsWith("//")
                            && machine.matcher(text).find()) {
                        wrong.add(root.relativize(file) + ":" + number + " " + text.strip());
                    }
                }
            }
        }
        assertThat(wrong).isEmpty();
    }

    @Test
    void everyPackageSaysWhatItIsAndEveryFileItsLicence() throws IOException {
        List<String> wrong = new ArrayList<>();
        for (String module : ARROWS.keySet()) {
            List<Path> files = sources(root.resolve(module).resolve("src/main/java"));
            Set<Path> folders = files.stream().map(Path::getParent).collect(Collectors.toCollection(TreeSet::new));
            for (Path folder : folders) {
                if (!Files.exists(folder.resolve("package-info.java"))) {
                    wrong.add(root.relativize(folder) + " has no package-info.java");
                }
            }
            for (Path file : files) {
                if (!Files.readString(file).startsWith("/* SPDX-License-Identifier: Apache-2.0 */")) {
                    wrong.add(root.relativize(file) + " does not open with its licence");
                }
            }
        }
        assertThat(wrong).isEmpty();
    }

    @Test
    void theFastLaneStartsNoServerAndNoProcess() throws IOException {
        Pattern starts = Pattern.compile(
                "\\b(EmbeddedBroker|WaybillServer|ServerProcess|ProcessBuilder|TestBroker\\.with\\w*|LocalDatabase)\\b");
        List<String> wrong = new ArrayList<>();
        for (String module : List.of("client", "client-jdbc", "example", "server", "cli", "verify")) {
            for (Path file : sources(root.resolve(module).resolve("src/test/java"))) {
                String text = Files.readString(file);
                if (file.toString().endsWith("Test.java")
                        && !file.endsWith("HouseRulesTest.java")
                        && starts.matcher(text).find()
                        && !text.contains("@Tag(\"end-to-end\")")) {
                    wrong.add(root.relativize(file).toString());
                }
            }
        }
        assertThat(wrong).as("without @Tag(\"end-to-end\")").isEmpty();
    }

    @Test
    void namesAreFeaturesNotKinds() {
        Pattern kind = Pattern.compile(".*\\.(impl|util|utils|common|manager|helper|helpers|misc)(\\..*)?$");
        assertThat(moduleOf.keySet().stream()
                        .map(HouseRulesTest::packageOf)
                        .filter(name -> kind.matcher(name).matches()))
                .isEmpty();
        Pattern type = Pattern.compile(".*(Manager|Helper|Util|Utils|Impl)$");
        assertThat(moduleOf.keySet().stream().filter(name -> type.matcher(name).matches()))
                .isEmpty();
    }

    private static List<String> arrows(Predicate<String> from, Predicate<String> to) {
        List<String> found = new ArrayList<>();
        uses.forEach((user, targets) -> {
            if (from.test(user)) {
                targets.stream().filter(to).forEach(target -> found.add(user + " -> " + target));
            }
        });
        return found;
    }

    private static String packageOf(String type) {
        return type.substring(0, type.lastIndexOf('.'));
    }

    private static List<Path> sources(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return List.of();
        }
        try (Stream<Path> walk = Files.walk(folder)) {
            return walk.filter(file -> file.toString().endsWith(".java"))
                    .sorted()
                    .toList();
        }
    }
}
