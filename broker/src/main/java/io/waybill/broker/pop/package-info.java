/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Pop: the broker leases messages for a while instead of queues for good (ADR 0013). What a group has leased and
 * finished is a state per group and queue, led in memory and recorded as steps in the log; what is not acknowledged in
 * time is delivered again, and at last becomes a dead letter.
 *
 * <p>Start at {@link io.waybill.broker.pop.PopFeature}; a pop goes through PopRequests (checks), PopService (turns),
 * QueueScanner (reads) and PopQueue (leases).
 *
 * <p>May import {@code longpoll}, {@code retry}, and what stands below them; not {@code pull}.
 */
package io.waybill.broker.pop;
