/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/** The tables of the backend; each is a column family in RocksDB. Their names are on disk. */
enum Family {
    QUEUE("queue"),
    KEYS("keys"),
    DUE("due"),
    TRANSACTIONS("transactions"),
    OFFSETS("offsets"),
    CATALOG("catalog"),
    POP("pop"),
    UNIQUE("unique"),
    DELIVERIES("deliveries"),
    /** The last record of each thing that a StateRecord is about. */
    STATE("state"),
    META("meta");

    final String tableName;

    Family(String tableName) {
        this.tableName = tableName;
    }
}
