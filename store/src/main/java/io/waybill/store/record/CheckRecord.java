/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * How many checks of an open transaction were delivered so far, and when the next is due.
 *
 * <pre>
 *   7 CHECKED   handle 8, count 4, nextCheckMillis 8, client text, reason 1, sender text
 * </pre>
 *
 * @param client who was asked; empty if this record is of no check
 * @param reason why that one, or nobody
 * @param sender the client id of who sent the half message, learnt meanwhile; empty if nothing is
 * @param atMillis store time of the frame
 */
public record CheckRecord(
        long position,
        long handle,
        int count,
        long nextCheckMillis,
        String client,
        CheckReason reason,
        String sender,
        long atMillis)
        implements ControlRecord {
    public CheckRecord {
        Objects.requireNonNull(reason, "reason");
        client = client == null ? "" : client;
        sender = sender == null ? "" : sender;
    }

    static CheckRecord read(RecordReader in) {
        long handle = in.i64();
        int count = in.i32();
        long nextCheckMillis = in.i64();
        String client = in.text();
        CheckReason reason = CheckReason.ofCode(in.i8());
        if (reason == null) {
            throw UnreadableRecord.newer("unknown reason of a check");
        }
        return new CheckRecord(
                in.position(), handle, count, nextCheckMillis, client, reason, in.text(), in.storeTimeMillis());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.CHECKED;
    }

    @Override
    public int fieldBytes() {
        return 8 + 4 + 8 + Texts.size(client) + 1 + Texts.size(sender);
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(handle).putInt(count).putLong(nextCheckMillis);
        Texts.put(to, client);
        to.put((byte) reason.code());
        Texts.put(to, sender);
    }

    @Override
    public CheckRecord at(long atPosition, long storeTimeMillis) {
        return new CheckRecord(atPosition, handle, count, nextCheckMillis, client, reason, sender, storeTimeMillis);
    }
}
