/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;

/**
 * What a client said when it was asked about an open transaction.
 *
 * <pre>
 *   14 ANSWERED   handle 8, client text, answer text
 * </pre>
 *
 * @param atMillis store time of the frame
 */
public record CheckAnswer(long position, long handle, String client, String answer, long atMillis)
        implements ControlRecord {
    public CheckAnswer {
        client = client == null ? "" : client;
        answer = answer == null ? "" : answer;
    }

    static CheckAnswer read(RecordReader in) {
        return new CheckAnswer(in.position(), in.i64(), in.text(), in.text(), in.storeTimeMillis());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.ANSWERED;
    }

    @Override
    public int fieldBytes() {
        return 8 + Texts.size(client) + Texts.size(answer);
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(handle);
        Texts.put(to, client);
        Texts.put(to, answer);
    }

    @Override
    public CheckAnswer at(long atPosition, long storeTimeMillis) {
        return new CheckAnswer(atPosition, handle, client, answer, storeTimeMillis);
    }
}
