/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import java.io.PrintStream;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** Where results go: data to standard output as a table or as JSON, everything else to standard error. */
public final class Output {
    /** Forms of the data. */
    public enum Form {
        TABLE,
        JSON
    }

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FORM",
            defaultValue = "table",
            description = "table or json (default: ${DEFAULT-VALUE}).")
    private Form form = Form.TABLE;

    private final PrintStream out = System.out;
    private final PrintStream err = System.err;

    /** A list: one table, or one JSON array. */
    public void list(List<? extends Map<String, ?>> rows) {
        if (form == Form.JSON) {
            out.println(Json.of(rows));
        } else {
            Table.lines(rows).forEach(out::println);
        }
        flush();
    }

    /** One thing: a line for each field, or one JSON object. */
    public void one(Map<String, ?> thing) {
        if (form == Form.JSON) {
            out.println(Json.of(thing));
        } else {
            int width = thing.keySet().stream().mapToInt(String::length).max().orElse(0);
            thing.forEach((name, value) -> {
                if (!(value instanceof Iterable<?> items) || isPlain(items)) {
                    out.println(name + " ".repeat(width - name.length()) + "  " + Table.cell(value));
                }
            });
        }
        flush();
    }

    private static boolean isPlain(Iterable<?> items) {
        for (Object item : items) {
            if (item instanceof Map) {
                return false;
            }
        }
        return true;
    }

    /** One of a stream: a line of text, or one JSON object in a line. */
    public void item(String line, Map<String, ?> thing) {
        out.println(form == Form.JSON ? Json.of(thing) : line);
        flush();
    }

    public boolean isJson() {
        return form == Form.JSON;
    }

    /** Data as it is, for people and programs alike. */
    public void line(String text) {
        out.println(text);
        flush();
    }

    /** Says something that is no data. */
    public void note(String text) {
        err.println(text);
        err.flush();
    }

    /**
     * @throws ReaderGone if nobody will read it
     * @throws Failure if it cannot be written
     */
    private void flush() {
        if (out.checkError()) { // flushes
            throw StandardOutput.failureOf(out);
        }
    }

    /** {@code 1 message}, {@code 2 messages}. */
    public static String counted(long count, String noun) {
        return count + " " + noun + (count == 1 ? "" : "s");
    }

    /** One line of printable text, shortened if need be. */
    public static String shown(String text) {
        return Table.cell(text);
    }

    /** One line of printable text, however long. */
    public static String printable(String text) {
        return Table.printable(text, Integer.MAX_VALUE);
    }
}
