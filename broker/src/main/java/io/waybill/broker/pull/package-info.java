/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Pulling: on which terms a pull is served, what it is answered, pulls that wait, and messages that are for another
 * member of the group (ADR 0015).
 *
 * <p>Start at {@link io.waybill.broker.pull.PullFeature}; a pull goes through PullMessage (checks), PullService (reads)
 * and PullAnswers.
 *
 * <p>May import {@code longpoll}, {@code retry}, and what stands below them; not {@code pop}.
 */
package io.waybill.broker.pull;
