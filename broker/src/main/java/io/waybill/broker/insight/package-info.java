/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What people ask when something is not as they expect: how much a group still has to do, why a message is not consumed, what became of a
 * message. Reads only, within bounds. Start reading at {@link io.waybill.broker.insight.Insight}; {@link io.waybill.broker.insight.GroupState} puts
 * together what is known of a group. Why something is not consumed is told as cause and evidence ({@link io.waybill.broker.insight.Cause},
 * {@link io.waybill.broker.insight.SubCause}, {@link io.waybill.broker.insight.Fact}); whoever asked writes the sentences. May import any package of the lower wings; none imports it.
 */
package io.waybill.broker.insight;
