/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/**
 * Who holds a unique key.
 *
 * @param position of the record that says so
 */
public record KeyHolder(UniqueKey key, FirstStored first, long position) {}
