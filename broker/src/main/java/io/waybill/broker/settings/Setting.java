/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

import java.util.List;
import java.util.Locale;

/**
 * One row of the settings table: a key, its type, its default, the values it may take and a sentence for people.
 *
 * <p>Numbers are checked against {@code min} and {@code max} (both inclusive), words against {@code words}.
 *
 * @param key the name, in camel case
 * @param type what the value is
 * @param defaultValue the value when nothing is set, as text
 * @param min the smallest number allowed; unused for other types
 * @param max the largest number allowed; unused for other types
 * @param words the values allowed for {@link Type#WORD}
 * @param sentence what it does, with the unit
 */
public record Setting(
        String key, Type type, String defaultValue, long min, long max, List<String> words, String sentence) {

    /** How a value is read. */
    public enum Type {
        NUMBER,
        SWITCH,
        TEXT,
        WORD
    }

    static Setting number(String key, long defaultValue, long min, long max, String sentence) {
        return new Setting(key, Type.NUMBER, Long.toString(defaultValue), min, max, List.of(), sentence);
    }

    static Setting onOff(String key, boolean defaultValue, String sentence) {
        return new Setting(key, Type.SWITCH, Boolean.toString(defaultValue), 0, 0, List.of(), sentence);
    }

    static Setting text(String key, String defaultValue, String sentence) {
        return new Setting(key, Type.TEXT, defaultValue, 0, 0, List.of(), sentence);
    }

    static Setting word(String key, String defaultValue, List<String> words, String sentence) {
        return new Setting(key, Type.WORD, defaultValue, 0, 0, words, sentence);
    }

    /** Reads a value, or throws {@link IllegalArgumentException} with key, limit and what was seen. */
    Object parse(String value) {
        String trimmed = value.trim();
        return switch (type) {
            case NUMBER -> parseNumber(trimmed);
            case SWITCH -> parseSwitch(trimmed);
            case TEXT -> trimmed;
            case WORD -> parseWord(trimmed);
        };
    }

    private Long parseNumber(String value) {
        long number;
        try {
            number = Long.parseLong(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(key + " must be a whole number, seen: '" + value + "'");
        }
        if (number < min || number > max) {
            throw new IllegalArgumentException(key + " must be from " + min + " to " + max + ", seen: " + value);
        }
        return number;
    }

    private Boolean parseSwitch(String value) {
        return switch (value.toLowerCase(Locale.ROOT)) {
            case "true" -> Boolean.TRUE;
            case "false" -> Boolean.FALSE;
            default -> throw new IllegalArgumentException(key + " must be true or false, seen: '" + value + "'");
        };
    }

    private String parseWord(String value) {
        String word = value.toLowerCase(Locale.ROOT);
        if (!words.contains(word)) {
            throw new IllegalArgumentException(
                    key + " must be one of " + String.join(", ", words) + ", seen: '" + value + "'");
        }
        return word;
    }
}
