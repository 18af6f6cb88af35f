/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Rows of equal fields as aligned text: a heading, numbers to the right, the rest to the left. */
public final class Table {
    private static final int MAX_CELL = 120;

    private Table() {}

    /** No rows, no heading: nothing. The fields are those of the first row. */
    public static List<String> lines(List<? extends Map<String, ?>> rows) {
        if (rows.isEmpty()) {
            return List.of();
        }
        List<String> fields = List.copyOf(rows.get(0).keySet());
        int[] widths = fields.stream().mapToInt(String::length).toArray();
        boolean[] numbers = new boolean[fields.size()];
        List<List<String>> cells = new ArrayList<>();
        for (int column = 0; column < fields.size(); column++) {
            String field = fields.get(column);
            numbers[column] = rows.stream().map(row -> row.get(field)).allMatch(v -> v == null || v instanceof Number)
                    && rows.stream().anyMatch(row -> row.get(field) != null);
        }
        for (Map<String, ?> row : rows) {
            List<String> line = new ArrayList<>();
            for (int column = 0; column < fields.size(); column++) {
                String cell = cell(row.get(fields.get(column)));
                widths[column] = Math.max(widths[column], cell.length());
                line.add(cell);
            }
            cells.add(line);
        }
        List<String> lines = new ArrayList<>();
        lines.add(line(fields.stream().map(Table::heading).toList(), widths, numbers));
        cells.forEach(row -> lines.add(line(row, widths, numbers)));
        return lines;
    }

    private static String line(List<String> cells, int[] widths, boolean[] numbers) {
        StringBuilder line = new StringBuilder();
        for (int column = 0; column < widths.length; column++) {
            String padding = " ".repeat(widths[column] - cells.get(column).length());
            line.append(column == 0 ? "" : "  ");
            line.append(numbers[column] ? padding + cells.get(column) : cells.get(column) + padding);
        }
        return line.toString().stripTrailing();
    }

    private static String heading(String field) {
        return field.toUpperCase(java.util.Locale.ROOT);
    }

    /** One line of printable text, whatever came over the wire. */
    static String cell(Object value) {
        if (value == null) {
            return "-";
        }
        String text = value instanceof Instant time
                ? Times.text(time)
                : value instanceof List<?> list
                        ? String.join(" ", list.stream().map(Object::toString).toList())
                        : value.toString();
        return printable(text, MAX_CELL);
    }

    /** The text without control characters, at most so many characters of it. */
    static String printable(String text, int max) {
        StringBuilder printable = new StringBuilder();
        text.codePoints().limit(max).forEach(c -> {
            if (Character.isISOControl(c) || Character.getType(c) == Character.FORMAT) {
                printable.append('.');
            } else {
                printable.appendCodePoint(c);
            }
        });
        if (text.codePointCount(0, text.length()) > max) {
            printable.append("...");
        }
        return printable.toString();
    }
}
