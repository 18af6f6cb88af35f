/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * Who holds a unique key.
 *
 * @param position of the record that says so
 */
public record UniqueKeyOwner(UniqueKey key, FirstMessage first, long position) {}
