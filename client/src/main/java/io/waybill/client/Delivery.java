/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;

/**
 * What the broker adds to a message when it hands it out: which stored copy this is, and which try. A retry and a re-driven message are other copies of
 * the same message, with facts of their own.
 *
 * @param queue the queue this copy came from (for a retried message a queue of the group's retry topic)
 * @param offset its offset in the queue
 * @param storedId the id of this copy: broker address and log position as 32 or 56 hex digits
 * @param storedAt when the broker stored this copy, by the broker's clock; never goes back within a queue
 * @param attempt 1 at the first delivery, one more with every retry
 */
public record Delivery(MessageQueue queue, long offset, String storedId, Instant storedAt, int attempt) {}
