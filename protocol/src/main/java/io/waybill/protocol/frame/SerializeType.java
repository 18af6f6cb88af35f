/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

/** The two encodings of a frame's header. The code is the top byte of the frame's second word. */
public enum SerializeType {
    JSON(0),
    ROCKETMQ(1);

    private final int code;

    SerializeType(int code) {
        this.code = code;
    }

    public int code() {
        return code;
    }
}
