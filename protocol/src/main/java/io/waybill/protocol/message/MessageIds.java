/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;

/**
 * The offset message id: where a record lies, as upper-case hex.
 *
 * <pre>
 *  store host IP 4 | 16 bytes, port 4 bytes, position 8 bytes      32 or 56 characters
 * </pre>
 *
 * The other id, the unique key a producer gives to each message, comes from {@link UniqueKeys}.
 */
public final class MessageIds {
    private static final byte[] HEX = "0123456789ABCDEF".getBytes(StandardCharsets.US_ASCII);
    private static final int LENGTH_V4 = 32;
    private static final int LENGTH_V6 = 56;

    private MessageIds() {}

    /** A decoded offset message id. */
    public record OffsetId(InetSocketAddress host, long position) {}

    /** The id of the record at a position in the log of the broker with this (resolved) address. */
    public static String offsetId(InetSocketAddress storeHost, long position) {
        byte[] address = storeHost.getAddress().getAddress();
        byte[] text = new byte[(address.length + 12) * 2];
        int at = 0;
        for (byte b : address) {
            at = hex(text, at, b, 2);
        }
        at = hex(text, at, storeHost.getPort(), 8);
        hex(text, at, position, 16);
        return new String(text, StandardCharsets.ISO_8859_1);
    }

    /** Reads an offset message id, in either case of letters.
     *
     * @throws BadValue when it is not one
     */
    public static OffsetId decode(String id) {
        if (id == null || (id.length() != LENGTH_V4 && id.length() != LENGTH_V6)) {
            throw new BadValue("message id", LENGTH_V4 + " or " + LENGTH_V6 + " hex digits", id);
        }
        byte[] address = new byte[id.length() / 2 - 12];
        for (int i = 0; i < address.length; i++) {
            address[i] = (byte) number(id, i * 2, 2);
        }
        long port = number(id, address.length * 2, 8);
        long position = number(id, address.length * 2 + 8, 16);
        if (port < 0 || port > 0xFFFF || position < 0) {
            throw new BadValue("message id", "a port to 65535 and a position that is not negative", id);
        }
        try {
            return new OffsetId(new InetSocketAddress(InetAddress.getByAddress(address), (int) port), position);
        } catch (UnknownHostException e) {
            throw new AssertionError("an address of " + address.length + " bytes", e);
        }
    }

    /** True when {@link #decode} would accept it. */
    public static boolean isOffsetId(String id) {
        try {
            decode(id);
            return true;
        } catch (BadValue e) {
            return false;
        }
    }

    static int hex(byte[] text, int at, long value, int digits) {
        for (int i = digits - 1; i >= 0; i--) {
            text[at + i] = HEX[(int) value & 0xF];
            value >>>= 4;
        }
        return at + digits;
    }

    private static long number(String id, int from, int digits) {
        long value = 0;
        for (int i = from; i < from + digits; i++) {
            int digit = id.charAt(i) < 0x80 ? Character.digit(id.charAt(i), 16) : -1;
            if (digit < 0) {
                throw new BadValue("message id", "hex digits only", id);
            }
            value = value << 4 | digit;
        }
        return value;
    }
}
