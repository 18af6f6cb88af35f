/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import io.waybill.protocol.message.MessageProperties;

/** What a peer may send at most. Every limit is checked before memory is taken for the thing it limits. */
public final class Limits {
    /** Bytes of a frame, without its length word. */
    public static final int MAX_FRAME_LENGTH = 16 * 1024 * 1024;

    public static final int MAX_HEADER_LENGTH = 64 * 1024;
    public static final int MAX_FIELDS = 256;
    public static final int MAX_KEY_LENGTH = 255;
    public static final int MAX_PROPERTIES_LENGTH = MessageProperties.MAX_LENGTH;
    public static final int MAX_JSON_DEPTH = 8;

    private Limits() {}

    /**
     * Checks the first word of a frame.
     *
     * @throws MalformedFrame when it cannot be the length of a frame of at most {@code maxLength} bytes
     */
    public static void checkFrameLength(int length, int maxLength) throws MalformedFrame {
        if (length < Command.MIN_FRAME_LENGTH || length > maxLength) {
            throw new MalformedFrame(
                    "frame length", Command.MIN_FRAME_LENGTH + " to " + maxLength + " bytes", length + " bytes");
        }
    }
}
