/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import java.util.List;

/**
 * What is due, in order of (time, handle).
 *
 * @param nextDueMillis due time of the first item that is not in the batch; Long.MAX_VALUE if there is none
 */
public record DueBatch(List<DueItem> items, long nextDueMillis) {}
