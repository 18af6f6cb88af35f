/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/** Changes that happen together or not at all, in the order given (a later one of the same key wins). */
abstract class ViewBatch implements AutoCloseable {
    abstract void put(Family family, byte[] key, byte[] value);

    abstract void delete(Family family, byte[] key);

    /** Deletes from a key (inclusive) to a key (exclusive). */
    abstract void deleteRange(Family family, byte[] from, byte[] to);

    @Override
    public void close() {}
}
