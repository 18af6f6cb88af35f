/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/** Receives pairs of a scan. */
@FunctionalInterface
interface PairVisitor {
    /** Takes one pair; returns whether to go on. The arrays are the visitor's to keep and must not be changed. */
    boolean pair(byte[] key, byte[] value);
}
