/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A topic, group or setting.
 *
 * <pre>
 *   9 CATALOG   catalogKind 1, name text, present 1, value to the record's end
 * </pre>
 *
 * @param of what the name is of
 * @param value null deletes
 */
public record CatalogRecord(long position, CatalogKind of, String name, byte[] value) implements ControlRecord {
    public CatalogRecord {
        Objects.requireNonNull(of, "of");
        Objects.requireNonNull(name, "name");
    }

    static CatalogRecord read(RecordReader in) {
        CatalogKind of = CatalogKind.ofCode(in.i8());
        if (of == null) {
            throw UnreadableRecord.newer("unknown catalog kind");
        }
        String name = in.text();
        return new CatalogRecord(in.position(), of, name, in.flag() ? in.rest() : null);
    }

    @Override
    public RecordKind kind() {
        return RecordKind.CATALOG;
    }

    @Override
    public int fieldBytes() {
        return 1 + Texts.size(name) + 1 + (value == null ? 0 : value.length);
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.put((byte) of.code());
        Texts.put(to, name);
        to.put((byte) (value == null ? 0 : 1));
        if (value != null) {
            to.put(value);
        }
    }

    @Override
    public CatalogRecord at(long atPosition, long storeTimeMillis) {
        return new CatalogRecord(atPosition, of, name, value);
    }

    @Override
    public long viewBytes() {
        return ROW_BYTES + (value == null ? 0 : value.length);
    }
}
