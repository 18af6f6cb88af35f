/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

/** Decides by the tags code alone, before the message is touched. */
@FunctionalInterface
public interface EntryFilter {
    boolean accepts(long tagsCode);
}
