/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import io.waybill.protocol.RequestCode;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * One walk over the bytes of a header. Afterwards the fixed members are known and the range of the extension fields has been checked: its
 * syntax, the number of fields and the length of their keys. Every index is checked before a byte is read there, so no header, however broken,
 * ends in anything but a {@link MalformedFrame}, and the {@link RawFields} that it leaves are walked later without checks.
 *
 * <p>No string is made but the remark, and no map: most requests are asked for each field once, and then the bytes decide.
 *
 * <pre>
 *  JSON      {"code":n,"flag":n,"language":"..","opaque":n,"remark":"..","version":n,"extFields":{"key":"value",..}}   any order, any more
 *  ROCKETMQ  code 2 | language 1 | version 2 | opaque 4 | flag 4 | remarkLength 4, remark | fieldsLength 4, fields
 *            field: keyLength 2, key, valueLength 4, value
 * </pre>
 */
final class HeaderScan {
    private static final int BINARY_FIXED_LENGTH = 2 + 1 + 2 + 4 + 4 + 4 + 4;

    private static final int USUAL_FIELDS = 16;
    private static final long[] NO_INDEX = {};

    private final byte[] b;
    private int at;
    /** Whether the string skipped last had escapes. */
    private boolean escaped;

    private long[] index = NO_INDEX;
    private int count;

    int code;
    int flag;
    int opaque;
    int version;
    byte language;
    String remark;
    RawFields fields = RawFields.NONE;

    HeaderScan(byte[] header) {
        this.b = header;
    }

    void readBinary() throws MalformedFrame {
        if (b.length < BINARY_FIXED_LENGTH) {
            throw bad("header length", "at least " + BINARY_FIXED_LENGTH + " bytes", b.length + " bytes");
        }
        code = (short) uint16(b, 0);
        language = b[2];
        version = uint16(b, 3);
        opaque = int32(b, 5);
        flag = int32(b, 9);
        if ((flag & Command.FLAG_RESPONSE) == 0) {
            code = RequestCode.fromShort(code);
        }
        int remarkLength = binaryLength("remark length", 13, b.length - BINARY_FIXED_LENGTH);
        if (remarkLength > 0) {
            remark = new String(b, 17, remarkLength, StandardCharsets.UTF_8);
        }
        int from = 17 + remarkLength + 4;
        int fieldsLength = binaryLength("extFields length", from - 4, b.length - from);
        int limit = from + fieldsLength;
        int entries = 0;
        for (int i = from; i < limit; entries++) {
            if (entries == Limits.MAX_FIELDS) {
                throw tooManyFields();
            }
            if (limit - i < 6) {
                throw bad("extFields", "whole entries", (limit - i) + " bytes left");
            }
            int keyFrom = i + 2;
            int keyLength = uint16(b, i);
            if (keyLength > Limits.MAX_KEY_LENGTH || keyLength > limit - i - 6) {
                throw bad("key of field " + entries, Limits.MAX_KEY_LENGTH + " bytes at most", keyLength + " bytes");
            }
            i = keyFrom + keyLength;
            int valueFrom = i + 4;
            int valueLength = binaryLength("value of field " + entries, i, limit - valueFrom);
            i = valueFrom + valueLength;
            // The reference reads an entry without a key or a value as none.
            if (keyLength > 0 && valueLength > 0) {
                index(RawFields.entry(keyFrom, keyLength, false, valueFrom, valueLength, false));
            }
        }
        if (count > 0) {
            fields = new RawFields(b, from, limit, index, count, SerializeType.ROCKETMQ);
        }
    }

    /** Of a member that comes twice the last one holds, as in the reference; unknown ones are walked over. */
    void readJson() throws MalformedFrame {
        at = 0;
        expect('{');
        space();
        if (at < b.length && b[at] == '}') {
            at++;
        } else {
            do {
                member();
                space();
            } while (nextIs(',', '}'));
        }
        space();
        if (at != b.length) {
            throw syntax("the end of the header");
        }
    }

    private void member() throws MalformedFrame {
        expect('"');
        int from = at;
        int length = string();
        expect(':');
        space();
        if (is(from, length, "code")) {
            code = number("code");
        } else if (is(from, length, "flag")) {
            flag = number("flag");
        } else if (is(from, length, "opaque")) {
            opaque = number("opaque");
        } else if (is(from, length, "version")) {
            version = number("version");
        } else if (is(from, length, "language")) {
            language();
        } else if (is(from, length, "remark")) {
            remark();
        } else if (is(from, length, "extFields")) {
            extFields();
        } else {
            skipValue(1);
        }
    }

    private void language() throws MalformedFrame {
        if (peek() == '"') {
            at++;
            int from = at;
            language = Language.read(b, from, string());
        } else {
            int from = at;
            skipWord();
            language = isNull(from) ? Language.JAVA : Language.read(b, from, at - from);
        }
    }

    private void remark() throws MalformedFrame {
        if (peek() == '"') {
            at++;
            Slice text = new Slice();
            text.set(b, at, string(), escaped);
            remark = text.toString();
        } else {
            int from = at;
            skipValue(1);
            remark = isNull(from) ? null : new String(b, from, at - from, StandardCharsets.UTF_8);
        }
    }

    private void extFields() throws MalformedFrame {
        if (peek() != '{') {
            int from = at;
            skipWord();
            if (!isNull(from)) {
                throw bad("extFields", "an object", "a word");
            }
            fields = RawFields.NONE;
            return;
        }
        at++;
        int from = at;
        int entries = 0;
        count = 0;
        space();
        if (peek() == '}') {
            at++;
            fields = RawFields.NONE;
            return;
        }
        do {
            if (entries++ == Limits.MAX_FIELDS) {
                throw tooManyFields();
            }
            expect('"');
            int keyFrom = at;
            int keyLength = string();
            boolean keyEscaped = escaped;
            if (keyLength > Limits.MAX_KEY_LENGTH) {
                throw bad("key of field " + entries, Limits.MAX_KEY_LENGTH + " bytes at most", keyLength + " bytes");
            }
            expect(':');
            space();
            int valueFrom = at;
            if (peek() == '"') {
                at++;
                int valueLength = string();
                index(RawFields.entry(keyFrom, keyLength, keyEscaped, valueFrom + 1, valueLength, escaped));
            } else {
                skipWord();
                if (!isNull(valueFrom)) {
                    index(RawFields.entry(keyFrom, keyLength, keyEscaped, valueFrom, at - valueFrom, false));
                }
            }
            space();
        } while (nextIs(',', '}'));
        fields = new RawFields(b, from, at - 1, index, count, SerializeType.JSON);
    }

    /** Notes a field. The array is made with the first one and rarely grows, since requests of the hot path have fewer. */
    private void index(long entry) {
        if (count == index.length) {
            index = Arrays.copyOf(index, Math.max(USUAL_FIELDS, count * 2));
        }
        index[count++] = entry;
    }

    /** A whole number, bare or quoted, of 32 bits; null reads as 0. */
    private int number(String field) throws MalformedFrame {
        int from = at;
        int length;
        if (peek() == '"') {
            at++;
            from = at;
            length = string();
        } else {
            skipWord();
            if (isNull(from)) {
                return 0;
            }
            length = at - from;
        }
        int i = from;
        int limit = from + length;
        boolean negative = length > 0 && b[i] == '-';
        if (negative) {
            i++;
        }
        long value = 0;
        boolean fine = i < limit && limit - i <= 10;
        for (; fine && i < limit; i++) {
            fine = b[i] >= '0' && b[i] <= '9';
            value = value * 10 + (b[i] - '0');
        }
        value = negative ? -value : value;
        if (!fine || value != (int) value) {
            throw bad(field, "a whole number of 32 bits", "another value at byte " + from + " of the header");
        }
        return (int) value;
    }

    /** The depth is bounded because this calls itself: a header of brackets would use up the stack of the event loop. */
    private void skipValue(int depth) throws MalformedFrame {
        byte c = peek();
        if (c == '"') {
            at++;
            string();
            return;
        }
        if (c != '{' && c != '[') {
            skipWord();
            return;
        }
        if (depth == Limits.MAX_JSON_DEPTH) {
            throw bad("header", "nested to " + Limits.MAX_JSON_DEPTH + " levels", "deeper");
        }
        char close = c == '{' ? '}' : ']';
        at++;
        space();
        if (peek() == close) {
            at++;
            return;
        }
        do {
            space();
            if (c == '{') {
                expect('"');
                string();
                expect(':');
                space();
            }
            skipValue(depth + 1);
            space();
        } while (nextIs(',', close));
    }

    private void skipWord() throws MalformedFrame {
        int end = JsonText.endOfWord(b, at, b.length);
        if (end == at || !wordIsValue(at, end)) {
            throw syntax("a value");
        }
        at = end;
    }

    private boolean wordIsValue(int from, int end) {
        byte c = b[from];
        if ((c >= '0' && c <= '9') || c == '-') {
            return true;
        }
        int length = end - from;
        return is(from, length, "true") || is(from, length, "false") || is(from, length, "null");
    }

    private boolean isNull(int from) {
        return at - from == 4 && is(from, 4, "null");
    }

    /** Skips a string whose opening quote was taken; returns its raw length. */
    private int string() throws MalformedFrame {
        int end = JsonText.endOfString(b, at, b.length);
        if (end < 0) {
            throw syntax("a string");
        }
        int length = (end & ~JsonText.ESCAPED) - at;
        escaped = (end & JsonText.ESCAPED) != 0;
        at += length + 1;
        return length;
    }

    private boolean nextIs(char more, char close) throws MalformedFrame {
        byte c = peek();
        if (c != more && c != close) {
            throw syntax("'" + more + "' or '" + close + "'");
        }
        at++;
        return c == more;
    }

    private void expect(char c) throws MalformedFrame {
        space();
        if (at >= b.length || b[at] != c) {
            throw syntax("'" + c + "'");
        }
        at++;
    }

    private byte peek() throws MalformedFrame {
        if (at >= b.length) {
            throw syntax("more");
        }
        return b[at];
    }

    private void space() {
        at = JsonText.skipSpace(b, at, b.length);
    }

    private boolean is(int from, int length, String name) {
        if (length != name.length()) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            if (b[from + i] != name.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    private int binaryLength(String field, int index, int room) throws MalformedFrame {
        int length = int32(b, index);
        if (length < 0 || length > room) {
            throw bad(field, "0 to " + room + " bytes", length + " bytes");
        }
        return length;
    }

    private MalformedFrame syntax(String wanted) {
        String seen = at >= b.length ? "the end" : "0x" + Integer.toHexString(b[at] & 0xFF);
        return bad("header", "JSON with " + wanted + " at byte " + at, seen);
    }

    private static MalformedFrame tooManyFields() {
        return bad("extFields", Limits.MAX_FIELDS + " fields at most", "more");
    }

    private static MalformedFrame bad(String field, String limit, String seen) {
        return new MalformedFrame(field, limit, seen);
    }

    static int uint16(byte[] b, int at) {
        return (b[at] & 0xFF) << 8 | b[at + 1] & 0xFF;
    }

    static int int32(byte[] b, int at) {
        return b[at] << 24 | (b[at + 1] & 0xFF) << 16 | (b[at + 2] & 0xFF) << 8 | b[at + 3] & 0xFF;
    }
}
