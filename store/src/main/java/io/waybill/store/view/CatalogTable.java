/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CatalogRecord;
import io.waybill.store.record.Packer;
import io.waybill.store.record.Unpacker;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Topics, groups, settings, deleted topics: {@code kind 1 | name -> position of the record 8 | value}. */
public final class CatalogTable {
    private final Table table;

    CatalogTable(Table table) {
        this.table = table;
    }

    private static byte[] key(CatalogKind kind, String name) {
        return new Packer(64).i8(kind.code()).text(name).done();
    }

    /** Applier only. */
    void catalog(CatalogRecord entry) {
        byte[] key = key(entry.of(), entry.name());
        if (entry.value() == null) {
            table.remove(key);
        } else {
            table.put(
                    key,
                    new Packer(8 + entry.value().length)
                            .i64(entry.position())
                            .raw(entry.value())
                            .done());
        }
    }

    public byte[] get(CatalogKind kind, String name) {
        byte[] value = table.get(key(kind, name));
        return value == null ? null : new Unpacker(value, 8).rest();
    }

    /** By name. */
    public Map<String, byte[]> all(CatalogKind kind) {
        Map<String, byte[]> found = new TreeMap<>();
        table.scanPrefix(new byte[] {(byte) kind.code()}, (key, value) -> {
            found.put(new Unpacker(key, 1).text(), new Unpacker(value, 8).rest());
            return true;
        });
        return found;
    }

    /** Those whose latest record stands below a position. */
    List<CatalogRecord> below(long position) {
        List<CatalogRecord> found = new ArrayList<>();
        table.scan(new byte[0], null, (key, value) -> {
            if (new Unpacker(value, 0).i64() < position) {
                found.add(new CatalogRecord(
                        new Unpacker(value, 0).i64(),
                        CatalogKind.ofCode(key[0]),
                        new Unpacker(key, 1).text(),
                        new Unpacker(value, 8).rest()));
            }
            return true;
        });
        return found;
    }
}
