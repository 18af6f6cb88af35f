/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Counts what goes in and out, by topic and by group. Whoever serves counts, and operators only read; therefore it stands in the core wing.
 *
 * <p>Start with {@link io.waybill.broker.stats.Stats}. Imports no other package of the broker.
 */
package io.waybill.broker.stats;
