/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Messages a consumer could not handle: given back with growing delays, and set aside in the dead-letter queue past the limit. Start reading at
 * {@link io.waybill.broker.retry.SendBack}; {@link io.waybill.broker.retry.RetrySchedule} decides when and how often. Imports {@code send} and
 * {@code timer}, and packages of the core wing.
 */
package io.waybill.broker.retry;
