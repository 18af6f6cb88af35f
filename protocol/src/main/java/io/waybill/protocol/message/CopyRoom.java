/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Room in the properties for what a broker writes on the copies of a message: for a later try, as a dead letter, for another member, in quarantine.
 *
 * <p>What always holds: a message is stored first with at most {@link #MAX_FIRST_LENGTH} bytes of properties, and all that copies cannot do without fits
 * into {@link #RESERVED_LENGTH}, with the longest names there are and after any way through the broker. What is only told to people goes on a copy if
 * there is room for it too. So no copy of an accepted message fails for want of room (ADR 0026).
 */
public final class CopyRoom {
    /** What copies cannot do without takes about 1,500 bytes when topic, group and client id are as long as they may be. */
    public static final int RESERVED_LENGTH = 2048;

    /** Bytes of properties a message may have when it is stored first, with what the broker wrote on it until then. */
    public static final int MAX_FIRST_LENGTH = MessageProperties.MAX_LENGTH - RESERVED_LENGTH;

    /** Left free in a copy that waits, for what its delivery adds. */
    private static final int DELIVERY_LENGTH = 64;

    /** Left free in a copy that a client made, who may have left out what copies must carry. */
    private static final int CLIENT_COPY_LENGTH = 1024;

    /** What copies can do without, the least missed first. */
    static final List<String> TOLD = List.of(
            "RETRY_CLIENT",
            "RETRY_MS",
            "WAYBILL_QUARANTINE_KEY", // the key itself is in the properties it was read from
            "WAYBILL_QUARANTINE_MS",
            "REDRIVEN_CLIENT",
            "REDRIVEN_GROUP",
            "REDRIVEN_REASON",
            "REDRIVEN_SINCE_MS",
            "REDRIVEN_DLQ_MS",
            "REDRIVEN_TRIES",
            "REDRIVEN_ORIGIN_MESSAGE_ID",
            "REDRIVEN_FROM",
            "REDRIVEN_MS",
            "REDRIVEN_BY",
            "DLQ_CLIENT",
            "DLQ_GROUP",
            "RETRY_SINCE_MS",
            "DLQ_MS",
            "DLQ_TRIES",
            "DLQ_REASON");

    private CopyRoom() {}

    /**
     * The encoded properties of a copy that is visible at once.
     *
     * @throws BadValue when they are too long also without what is only told: none that came in as they all do
     */
    public static byte[] encode(Map<String, String> properties) {
        return encode(properties, 0);
    }

    /**
     * The encoded properties of a copy that waits before it is delivered.
     *
     * @throws BadValue as {@link #encode}
     */
    public static byte[] encodeWaiting(Map<String, String> properties) {
        return encode(properties, DELIVERY_LENGTH);
    }

    /**
     * The encoded properties of a copy that a client made or changed: it may be as long as the client likes, so there must be room for later copies.
     *
     * @throws BadValue when they are too long also without what is only told
     */
    public static byte[] encodeOfClient(Map<String, String> properties) {
        return encode(properties, CLIENT_COPY_LENGTH);
    }

    private static byte[] encode(Map<String, String> properties, int spare) {
        int limit = MessageProperties.MAX_LENGTH - spare;
        byte[] encoded = MessageProperties.encodeAnyLength(properties);
        if (encoded.length > limit) {
            Map<String, String> fewer = new LinkedHashMap<>(properties);
            for (String name : TOLD) {
                if (encoded.length > limit && fewer.remove(name) != null) {
                    encoded = MessageProperties.encodeAnyLength(fewer);
                }
            }
        }
        if (encoded.length > limit) {
            throw new BadValue("properties", "at most " + limit + " bytes on a copy", encoded.length + " bytes");
        }
        return encoded;
    }

    /**
     * The encoded properties of a message that is stored first.
     *
     * @throws BadValue when they would leave too little room
     */
    public static byte[] encodeFirst(Map<String, String> properties) {
        byte[] encoded = MessageProperties.encodeAnyLength(properties);
        checkFirst(encoded);
        return encoded;
    }

    /** The same check for properties that are encoded already. */
    public static void checkFirst(byte[] properties) {
        if (properties.length > MAX_FIRST_LENGTH) {
            throw new BadValue(
                    "properties",
                    "at most " + MAX_FIRST_LENGTH + " bytes with what the broker adds, so that its copies have room",
                    properties.length + " bytes");
        }
    }
}
