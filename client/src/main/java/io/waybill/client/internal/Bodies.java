/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.WaybillException;
import java.io.ByteArrayOutputStream;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * Compressed bodies. The sysFlag of a message says whether and how: bit 0x1 compressed, 0x700 the kind (0 and 3 zlib, 1 LZ4, 2 Zstandard). The JDK
 * brings zlib; the other two are refused by name.
 */
final class Bodies {
    static final int COMPRESSED = 0x1;
    static final int KIND_MASK = 0x700;
    static final int KIND_ZLIB = 0x300;
    private static final int KIND_LZ4 = 0x100;
    private static final int KIND_ZSTD = 0x200;

    /** A body inflates to at most this: a small message must not fill the memory. */
    private static final int MAX_INFLATED = 64 << 20;

    private Bodies() {}

    /** The zlib stream of a body, or null if it would not be shorter. */
    static byte[] deflate(byte[] body) {
        Deflater deflater = new Deflater(5);
        try {
            deflater.setInput(body);
            deflater.finish();
            byte[] target = new byte[body.length];
            int length = deflater.deflate(target);
            return deflater.finished() && length < body.length ? java.util.Arrays.copyOf(target, length) : null;
        } finally {
            deflater.end();
        }
    }

    /**
     * The readable body.
     *
     * @param whose names the message in errors
     * @throws WaybillException of kind UNREADABLE
     */
    static byte[] inflate(byte[] stored, int sysFlag, String whose) {
        if ((sysFlag & COMPRESSED) == 0) {
            return stored;
        }
        return switch (sysFlag & KIND_MASK) {
            case 0, KIND_ZLIB -> inflateZlib(stored, whose);
            case KIND_LZ4 -> throw missing("LZ4", whose);
            case KIND_ZSTD -> throw missing("Zstandard", whose);
            default ->
                throw unreadable(
                        "the body of " + whose + " is compressed in an unknown way (sysFlag 0x"
                                + Integer.toHexString(sysFlag) + ")",
                        "find out what the producer uses",
                        null);
        };
    }

    private static byte[] inflateZlib(byte[] stored, String whose) {
        Inflater inflater = new Inflater();
        try {
            inflater.setInput(stored);
            ByteArrayOutputStream out = new ByteArrayOutputStream(Math.max(64, stored.length * 3));
            byte[] chunk = new byte[Math.min(64 << 10, Math.max(512, stored.length * 3))];
            while (!inflater.finished()) {
                int count = inflater.inflate(chunk);
                if (count == 0 && (inflater.needsInput() || inflater.needsDictionary())) {
                    throw new DataFormatException("the stream ends early");
                }
                out.write(chunk, 0, count);
                if (out.size() > MAX_INFLATED) {
                    throw new DataFormatException("it inflates to more than " + MAX_INFLATED + " bytes");
                }
            }
            return out.toByteArray();
        } catch (DataFormatException e) {
            throw unreadable(
                    "the zlib body of " + whose + " is damaged: " + e.getMessage(),
                    "skip the message and look at its producer",
                    e);
        } finally {
            inflater.end();
        }
    }

    private static WaybillException missing(String what, String whose) {
        return unreadable(
                "the body of " + whose + " is compressed with " + what + ", which this client does not have",
                "let the producer send with zlib (rocketmq.message.compressType=ZLIB) or uncompressed",
                null);
    }

    private static WaybillException unreadable(String what, String advice, Throwable cause) {
        return new WaybillException(WaybillException.Kind.UNREADABLE, -1, false, what, advice, cause);
    }
}
