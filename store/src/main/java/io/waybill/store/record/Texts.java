/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Texts in records: a 2-byte length and UTF-8. */
public final class Texts {
    private static final int MOST = 0xFFFF;

    private Texts() {}

    /** The bytes a text takes in a record, its length included. Takes no memory. */
    public static int size(String text) {
        int bytes = 0;
        for (int i = 0, length = text.length(); i < length; i++) {
            char c = text.charAt(i);
            if (c < 0x80) {
                bytes++;
            } else if (c < 0x800) {
                bytes += 2;
            } else if (!Character.isSurrogate(c)) {
                bytes += 3;
            } else if (Character.isHighSurrogate(c) && i + 1 < length && Character.isLowSurrogate(text.charAt(i + 1))) {
                bytes += 4;
                i++;
            } else {
                bytes++; // encoded as a question mark
            }
        }
        if (bytes > MOST) {
            throw new IllegalArgumentException("a text must be at most " + MOST + " bytes, seen " + bytes);
        }
        return 2 + bytes;
    }

    public static void put(ByteBuffer to, String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        to.putShort((short) utf8.length).put(utf8);
    }
}
