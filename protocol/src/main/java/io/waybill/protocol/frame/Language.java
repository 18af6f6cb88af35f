/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import java.nio.charset.StandardCharsets;

/** The sender's language: a name in JSON headers, this number in binary ones. */
public final class Language {
    public static final byte JAVA = 0;
    public static final byte OTHER = 7;

    private static final String[] NAMES = {
        "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST",
        "NODE_JS"
    };
    private static final byte[][] ENCODED = new byte[NAMES.length][];

    static {
        for (int i = 0; i < NAMES.length; i++) {
            ENCODED[i] = NAMES[i].getBytes(StandardCharsets.US_ASCII);
        }
    }

    private Language() {}

    /** The name of a number; {@code OTHER} for a number nobody assigned. */
    public static String name(byte language) {
        return NAMES[known(language)];
    }

    static byte[] encoded(byte language) {
        return ENCODED[known(language)];
    }

    /** Reads a name in any case, or a number, from header bytes; anything unknown is OTHER. */
    static byte read(byte[] bytes, int from, int length) {
        for (int i = 0; i < ENCODED.length; i++) {
            if (same(ENCODED[i], bytes, from, length)) {
                return (byte) i;
            }
        }
        int number = length == 0 || length > 2 ? -1 : 0;
        for (int i = from; number >= 0 && i < from + length; i++) {
            int digit = bytes[i] - '0';
            number = digit < 0 || digit > 9 ? -1 : number * 10 + digit;
        }
        return number >= 0 && number < NAMES.length ? (byte) number : OTHER;
    }

    private static int known(byte language) {
        return language >= 0 && language < NAMES.length ? language : OTHER;
    }

    private static boolean same(byte[] name, byte[] bytes, int from, int length) {
        if (name.length != length) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            byte seen = bytes[from + i];
            if (seen != name[i] && (seen < 'a' || seen > 'z' || seen - 0x20 != name[i])) {
                return false;
            }
        }
        return true;
    }
}
