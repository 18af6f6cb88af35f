/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.message;

import io.waybill.client.WaybillException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.Deflater;
import java.util.zip.InflaterInputStream;

/**
 * Compressed bodies. The sysFlag of a message says whether and how: bit 0x1 compressed, 0x700 the kind (0 and 3 zlib, 1 LZ4, 2 Zstandard). The JDK
 * brings zlib; of the other two each is read if its library is there, else refused by name.
 */
public final class BodyCompression {
    public static final int COMPRESSED = 0x1;
    public static final int KIND_MASK = 0x700;
    static final int KIND_ZLIB = 0x300;
    private static final int KIND_LZ4 = 0x100;
    private static final int KIND_ZSTD = 0x200;

    /** A body inflates to at most this: a small message must not fill the memory. */
    private static final int MAX_INFLATED = 64 << 20;

    private BodyCompression() {}

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
            case 0, KIND_ZLIB -> inflate(stored, "zlib", "java.base", whose, InflaterInputStream::new);
            case KIND_LZ4 -> inflate(stored, "LZ4", "at.yawk.lz4:lz4-java", whose, Lz4::open);
            case KIND_ZSTD -> inflate(stored, "Zstandard", "com.github.luben:zstd-jni", whose, Zstandard::open);
            default ->
                throw unreadable(
                        "the body of " + whose + " is compressed in an unknown way (sysFlag 0x"
                                + Integer.toHexString(sysFlag) + ")",
                        "find out what the producer uses",
                        null);
        };
    }

    /** Opens the stream of a body; apart from each other, so that a library that is not there is missed only by who needs it. */
    private interface Opener {
        InputStream open(InputStream compressed) throws IOException;
    }

    private static final class Lz4 {
        static InputStream open(InputStream compressed) throws IOException {
            return new net.jpountz.lz4.LZ4FrameInputStream(compressed);
        }
    }

    private static final class Zstandard {
        static InputStream open(InputStream compressed) throws IOException {
            return new com.github.luben.zstd.ZstdInputStream(compressed);
        }
    }

    private static byte[] inflate(byte[] stored, String kind, String library, String whose, Opener opener) {
        try (InputStream stream = opener.open(new ByteArrayInputStream(stored))) {
            byte[] body = stream.readNBytes(MAX_INFLATED + 1);
            if (body.length > MAX_INFLATED) {
                throw new IOException("it inflates to more than " + MAX_INFLATED + " bytes");
            }
            return body;
        } catch (LinkageError e) {
            throw missing(kind, library, whose);
        } catch (IOException | RuntimeException e) {
            throw unreadable(
                    "the " + kind + " body of " + whose + " is damaged: " + e.getMessage(),
                    "skip the message and look at its producer",
                    e);
        }
    }

    private static WaybillException missing(String what, String library, String whose) {
        return unreadable(
                "the body of " + whose + " is compressed with " + what + ", for which this process has no library",
                "add " + library + " to it, or let the producer send with zlib or uncompressed",
                null);
    }

    private static WaybillException unreadable(String what, String advice, Throwable cause) {
        return new WaybillException(WaybillException.Kind.UNREADABLE, -1, false, what, advice, cause);
    }
}
