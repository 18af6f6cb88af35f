/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/**
 * How a replay ended.
 *
 * @param handled messages given to the handler by this run
 * @param skipped messages of the interval that an earlier run had done
 * @param complete true if the side group's progress has reached the end of every slice
 */
public record ReplayResult(long handled, long skipped, boolean complete) {}
