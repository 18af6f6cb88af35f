/* SPDX-License-Identifier: Apache-2.0 */
/**
 * How far each group has consumed each queue: commits, resets, and who may not commit.
 *
 * <p>Start with {@link io.waybill.broker.offset.Offsets}. Core wing: imports request, settings and topic.
 */
package io.waybill.broker.offset;
