/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.house;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Figures of the structure: arrows read by jdeps and members read by javap from the compiled product classes, lengths and repeated lines from the product
 * sources. Nothing is loaded or run, and only the JDK is needed, so that it can be held against any checkout that is compiled:
 *
 * <pre>java verify/src/test/java/io/waybill/verify/house/HouseFigures.java [CHECKOUT]</pre>
 */
final class HouseFigures {
    static final List<String> MODULES = List.of(
            "platform",
            "protocol",
            "remoting",
            "store",
            "namesrv",
            "broker",
            "client",
            "client-jdbc",
            "server",
            "example",
            "cli");

    /** The wings of the broker, lowest first; a package uses its own wing and those before it. */
    static final List<Set<String>> WINGS = List.of(
            Set.of("request", "topic", "group", "offset", "settings", "route", "access", "filter", "stats", "delivery"),
            Set.of("send", "transaction", "timer"),
            Set.of("longpoll", "pull", "pop", "lock", "retry", "setaside", "quarantine"),
            Set.of("admin", "query", "insight", "audit"));

    /** Lines that two places share before they count as a pair. */
    private static final int SHARED_LINES = 6;

    private static final Pattern ARROW = Pattern.compile("^\\s+(\\S+)\\s+->\\s+(\\S+)\\s+.*$");
    private static final Pattern TYPE = Pattern.compile(
            "^(?:(?:public|protected|private|static|final|abstract|sealed|strictfp) )*(class|interface|@interface) (\\S+?)(?:<.*)?"
                    + "(?: extends (.*?))?(?: implements .*)?(?: permits .*)?$");

    /** One type, nested ones among them. */
    record Type(String name, boolean isPublic, boolean isInterface, String parent, List<String> members) {
        String packageName() {
            return name.substring(0, name.lastIndexOf('.'));
        }

        /** The last part of the name; null for a type without one of its own. */
        String simpleName() {
            String simple = name.substring(Math.max(name.lastIndexOf('.'), name.lastIndexOf('$')) + 1);
            return Character.isDigit(simple.charAt(0)) ? null : simple;
        }

        boolean isRecord() {
            return "java.lang.Record".equals(parent);
        }

        /** Public methods of an instance, without those that every object has. */
        long doorWidth() {
            return members.stream()
                    .filter(member ->
                            member.startsWith("public ") && member.contains("(") && !member.contains("static "))
                    .filter(member -> !isConstructor(member))
                    .filter(member ->
                            !member.matches(".*\\b(equals\\(java\\.lang\\.Object\\)|hashCode\\(\\)|toString\\(\\)).*"))
                    .count();
        }

        int widestConstructor() {
            return members.stream()
                    .filter(this::isConstructor)
                    .mapToInt(HouseFigures::parameters)
                    .max()
                    .orElse(0);
        }

        long fields() {
            return members.stream()
                    .filter(member -> !member.contains("(") && !member.contains("static "))
                    .count();
        }

        private boolean isConstructor(String member) {
            int open = member.indexOf('(');
            return open > 0
                    && member.substring(0, open).endsWith(name)
                    && !member.substring(0, open - name.length()).contains(".");
        }
    }

    final Map<String, Type> types = new TreeMap<>();
    /** Type -> types of the product that it uses. */
    final Map<String, Set<String>> uses = new TreeMap<>();

    final Map<String, Integer> lines = new TreeMap<>();
    private final Map<String, List<String>> code = new TreeMap<>();

    private HouseFigures() {}

    static HouseFigures of(Path root) throws IOException {
        HouseFigures figures = new HouseFigures();
        for (String module : MODULES) {
            Path classes = root.resolve(module).resolve("target/classes");
            Path sources = root.resolve(module).resolve("src/main/java");
            if (!Files.isDirectory(sources)) {
                continue;
            }
            if (!Files.isDirectory(classes)) {
                throw new IOException(classes + " is missing: compile first");
            }
            figures.readTypes(classes);
            figures.readArrows(classes);
            figures.readSources(root, sources);
        }
        figures.uses.values().forEach(targets -> targets.retainAll(figures.types.keySet()));
        return figures;
    }

    private void readTypes(Path classes) throws IOException {
        List<String> arguments = new ArrayList<>(List.of("-p"));
        try (Stream<Path> walk = Files.walk(classes)) {
            walk.filter(file -> file.toString().endsWith(".class") && !file.endsWith("package-info.class"))
                    .map(Path::toString)
                    .forEach(arguments::add);
        }
        Type open = null;
        for (String text : run("javap", arguments).split("\n")) {
            Matcher type = TYPE.matcher(text.replaceFirst("\\s*\\{$", ""));
            if (type.matches()) {
                open = new Type(
                        type.group(2),
                        text.startsWith("public "),
                        !type.group(1).equals("class"),
                        type.group(3),
                        new ArrayList<>());
                types.put(open.name(), open);
            } else if (text.startsWith("  ") && open != null) {
                open.members().add(text.strip());
            }
        }
    }

    private void readArrows(Path classes) throws IOException {
        String text =
                run("jdeps", List.of("-verbose:class", "-filter:none", "--multi-release", "17", classes.toString()));
        for (String line : text.split("\n")) {
            Matcher arrow = ARROW.matcher(line);
            if (arrow.matches() && arrow.group(1).startsWith("io.waybill.")) {
                uses.computeIfAbsent(arrow.group(1), name -> new TreeSet<>()).add(arrow.group(2));
            }
        }
    }

    private void readSources(Path root, Path sources) throws IOException {
        try (Stream<Path> walk = Files.walk(sources)) {
            for (Path file :
                    walk.filter(f -> f.toString().endsWith(".java")).sorted().toList()) {
                List<String> text = Files.readAllLines(file, StandardCharsets.UTF_8);
                String name = root.relativize(file).toString();
                lines.put(name, text.size());
                // Lines without a word of their own say nothing about repetition.
                code.put(
                        name,
                        text.stream()
                                .map(String::strip)
                                .filter(line -> line.matches(".*[A-Za-z].*"))
                                .filter(line -> !line.matches("(\\*|/\\*|//|import |package |@).*"))
                                .toList());
            }
        }
    }

    private static String run(String tool, List<String> arguments) {
        StringWriter out = new StringWriter();
        PrintWriter writer = new PrintWriter(out);
        int code = ToolProvider.findFirst(tool).orElseThrow().run(writer, writer, arguments.toArray(String[]::new));
        if (code != 0) {
            throw new IllegalStateException(tool + ": " + out);
        }
        return out.toString();
    }

    private static int parameters(String member) {
        String inside = member.substring(member.indexOf('(') + 1, member.lastIndexOf(')'));
        if (inside.isBlank()) {
            return 0;
        }
        int depth = 0;
        int count = 1;
        for (char c : inside.toCharArray()) {
            depth += c == '<' ? 1 : c == '>' ? -1 : 0;
            count += c == ',' && depth == 0 ? 1 : 0;
        }
        return count;
    }

    /** Package -> packages it uses. */
    Map<String, Set<String>> packages() {
        Map<String, Set<String>> packages = new TreeMap<>();
        uses.forEach((from, targets) -> {
            for (String to : targets) {
                String fromPackage = packageOf(from);
                String toPackage = packageOf(to);
                if (!fromPackage.equals(toPackage)) {
                    packages.computeIfAbsent(fromPackage, name -> new TreeSet<>())
                            .add(toPackage);
                }
            }
        });
        return packages;
    }

    /** Groups of packages that all reach each other, so that none of them can be understood or moved alone. */
    List<Set<String>> cycles() {
        Map<String, Set<String>> packages = packages();
        Map<String, Set<String>> reach = new TreeMap<>();
        for (String start : packages.keySet()) {
            Set<String> seen = new TreeSet<>();
            List<String> open = new ArrayList<>(List.of(start));
            while (!open.isEmpty()) {
                for (String next : packages.getOrDefault(open.remove(open.size() - 1), Set.of())) {
                    if (seen.add(next)) {
                        open.add(next);
                    }
                }
            }
            reach.put(start, seen);
        }
        List<Set<String>> cycles = new ArrayList<>();
        Set<String> done = new HashSet<>();
        for (String start : reach.keySet()) {
            if (!done.contains(start) && reach.get(start).contains(start)) {
                Set<String> cycle = reach.get(start).stream()
                        .filter(other -> reach.getOrDefault(other, Set.of()).contains(start))
                        .collect(Collectors.toCollection(TreeSet::new));
                done.addAll(cycle);
                cycles.add(cycle);
            }
        }
        return cycles;
    }

    /** Arrows of types of the store's log to types of its views. */
    List<String> logToView() {
        return arrows("io.waybill.store.log", "io.waybill.store.view");
    }

    private List<String> arrows(String fromPackage, String toPackage) {
        List<String> found = new ArrayList<>();
        uses.forEach((from, targets) -> targets.forEach(to -> {
            if (packageOf(from).equals(fromPackage) && packageOf(to).equals(toPackage)) {
                found.add(from + " -> " + to);
            }
        }));
        return found;
    }

    /** Arrows between packages of the broker that go up. */
    Set<String> upwards() {
        Set<String> found = new TreeSet<>();
        packages()
                .forEach((from, targets) -> targets.forEach(to -> {
                    int below = wing(from);
                    int above = wing(to);
                    if (below >= 0 && above > below) {
                        found.add(from.substring("io.waybill.broker.".length()) + " -> "
                                + to.substring("io.waybill.broker.".length()));
                    }
                }));
        return found;
    }

    /** Packages of the broker that stand in no wing. */
    Set<String> homeless() {
        return types.keySet().stream()
                .map(HouseFigures::packageOf)
                .filter(name -> name.startsWith("io.waybill.broker.") && wing(name) < 0)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The place of a package of the broker among the {@link #WINGS}; -1 = it is in none. */
    static int wing(String packageName) {
        for (int i = 0; i < WINGS.size(); i++) {
            if (packageName.startsWith("io.waybill.broker.")
                    && WINGS.get(i)
                            .contains(packageName.substring("io.waybill.broker.".length())
                                    .split("\\.")[0])) {
                return i;
            }
        }
        return -1;
    }

    /** Public types, records, values and what is thrown apart, with how many public methods they have. */
    Map<String, Long> doors() {
        return count(types.values().stream()
                .filter(type -> type.isPublic() && !type.isRecord())
                .filter(type -> type.simpleName() != null && !type.simpleName().equals("Builder"))
                .collect(Collectors.toMap(Type::name, Type::doorWidth)));
    }

    Map<String, Long> constructors() {
        return count(types.values().stream()
                .filter(type -> !type.isRecord() && type.simpleName() != null)
                .collect(Collectors.toMap(Type::name, type -> (long) type.widestConstructor())));
    }

    Map<String, Long> fields() {
        return count(types.values().stream()
                .filter(type -> !type.isRecord() && type.simpleName() != null)
                .collect(Collectors.toMap(Type::name, Type::fields)));
    }

    Map<String, Long> files() {
        Map<String, Long> lengths = new HashMap<>();
        lines.forEach((file, length) -> lengths.put(file, (long) length));
        return count(lengths);
    }

    /** Simple names that more than two types have. */
    Map<String, Long> names() {
        Map<String, Long> names = types.values().stream()
                .map(Type::simpleName)
                .filter(name -> name != null && !name.equals("Builder"))
                .collect(Collectors.groupingBy(name -> name, Collectors.counting()));
        names.values().removeIf(uses -> uses <= 2);
        return count(names);
    }

    /** Pairs of places, in one file or two, that share a run of lines. */
    List<String> repeated() {
        record Place(String file, int line) {}
        Map<String, List<Place>> windows = new LinkedHashMap<>();
        code.forEach((file, text) -> {
            for (int i = 0; i + SHARED_LINES <= text.size(); i++) {
                windows.computeIfAbsent(String.join("\n", text.subList(i, i + SHARED_LINES)), key -> new ArrayList<>())
                        .add(new Place(file, i));
            }
        });
        Set<String> pairs = new TreeSet<>();
        Set<String> seen = new HashSet<>();
        for (List<Place> places : windows.values()) {
            for (int i = 0; i < places.size(); i++) {
                for (int j = i + 1; j < places.size(); j++) {
                    Place a = places.get(i);
                    Place b = places.get(j);
                    seen.add(a + "~" + b);
                    boolean goesOn =
                            seen.contains(new Place(a.file(), a.line() - 1) + "~" + new Place(b.file(), b.line() - 1));
                    if (!goesOn) {
                        pairs.add(a.file() + " ~ " + b.file() + ": "
                                + code.get(a.file()).get(a.line()));
                    }
                }
            }
        }
        return List.copyOf(pairs);
    }

    private static Map<String, Long> count(Map<String, Long> unsorted) {
        Map<String, Long> sorted = new LinkedHashMap<>();
        unsorted.entrySet().stream()
                .sorted(Map.Entry.<String, Long>comparingByValue(Comparator.reverseOrder())
                        .thenComparing(Map.Entry.comparingByKey()))
                .forEach(entry -> sorted.put(entry.getKey(), entry.getValue()));
        return sorted;
    }

    private static String packageOf(String type) {
        return type.substring(0, type.lastIndexOf('.'));
    }

    private static void row(String name, int limit, Map<String, Long> found, int most) {
        long beyond = found.values().stream().filter(value -> value > limit).count();
        Map.Entry<String, Long> first = found.entrySet().iterator().next();
        System.out.printf("%-48s %6d  limit %4d, beyond it %d%n", name, first.getValue(), limit, beyond);
        found.entrySet().stream()
                .filter(entry -> entry.getValue() > limit)
                .limit(most)
                .forEach(entry -> System.out.printf("    %6d  %s%n", entry.getValue(), entry.getKey()));
    }

    private static void row(String name, java.util.Collection<String> found, int most) {
        System.out.printf("%-48s %6d%n", name, found.size());
        found.stream().limit(most).forEach(text -> System.out.println("            " + text));
    }

    /** Arguments: the checkout, this folder unless given; {@code -v} names what is beyond a limit. */
    public static void main(String[] arguments) throws IOException {
        List<String> given = new ArrayList<>(List.of(arguments));
        int most = given.remove("-v") ? 200 : 0;
        HouseFigures house = of(
                Path.of(given.isEmpty() ? "." : given.get(0)).toAbsolutePath().normalize());
        System.out.printf(
                "%-48s %6d%n",
                "packages",
                house.types.keySet().stream()
                        .map(HouseFigures::packageOf)
                        .distinct()
                        .count());
        System.out.printf("%-48s %6d%n", "types", house.types.size());
        System.out.printf(
                "%-48s %6d%n",
                "lines",
                house.lines.values().stream().mapToInt(Integer::intValue).sum());
        row("package cycles", house.cycles().stream().map(String::valueOf).toList(), most);
        row("arrows store.log -> store.view", house.logToView(), most);
        row("arrows of the broker against its wings", house.upwards(), most);
        row("packages of the broker in no wing", house.homeless(), most);
        row("widest door (public methods)", 15, house.doors(), most);
        row("constructor parameters", 8, house.constructors(), most);
        row("fields of a class", 25, house.fields(), most);
        row("lines of a file", 600, house.files(), most);
        row(
                "simple type names used more than twice",
                house.names().entrySet().stream().map(String::valueOf).toList(),
                most);
        row("repeated runs of six lines and more", house.repeated(), most);
    }
}
