/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

/** Offsets of a queue from one (inclusive) to another (exclusive). */
record OffsetRange(long from, long to) {}
