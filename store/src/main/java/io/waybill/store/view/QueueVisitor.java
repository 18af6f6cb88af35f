/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/** Receives ConsumeQueue entries in offset order. */
@FunctionalInterface
public interface QueueVisitor {
    /** Takes one entry; returns whether to go on. */
    boolean entry(long offset, long position, int size, int frameDelta, long tagsCode, long storeTimeMillis);
}
