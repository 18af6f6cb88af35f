/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A delayed message was cancelled. Says topic and keys, so that the cancellation can be found by them as long as the log keeps it.
 *
 * <pre>
 *   5 CANCELLED   handle 8, by text, topic text, n 2, n x key text
 * </pre>
 *
 * @param atMillis store time of the frame
 * @param topic of the message
 */
public record TimerCancelled(long position, long handle, long atMillis, String by, String topic, String[] keys)
        implements ControlRecord {
    public TimerCancelled {
        Objects.requireNonNull(topic, "topic");
        by = by == null ? "" : by;
        keys = keys == null ? new String[0] : keys;
    }

    static TimerCancelled read(RecordReader in) {
        long handle = in.i64();
        String by = in.text();
        String topic = in.text();
        String[] keys = new String[in.i16()];
        for (int i = 0; i < keys.length; i++) {
            keys[i] = in.text();
        }
        return new TimerCancelled(in.position(), handle, in.storeTimeMillis(), by, topic, keys);
    }

    @Override
    public RecordKind kind() {
        return RecordKind.CANCELLED;
    }

    @Override
    public int fieldBytes() {
        int bytes = 8 + Texts.size(by) + Texts.size(topic) + 2;
        for (String key : keys) {
            bytes += Texts.size(key);
        }
        return bytes;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(handle);
        Texts.put(to, by);
        Texts.put(to, topic);
        to.putShort((short) keys.length);
        for (String key : keys) {
            Texts.put(to, key);
        }
    }

    @Override
    public TimerCancelled at(long atPosition, long storeTimeMillis) {
        return new TimerCancelled(atPosition, handle, storeTimeMillis, by, topic, keys);
    }
}
