/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The producer.
 *
 * <p>Start with {@link io.waybill.client.internal.send.PlainProducer}; {@link io.waybill.client.internal.send.SendCall} is one send with its retries, and
 * {@link io.waybill.client.internal.send.SendRetryPolicy} decides them. May import {@code group}, {@code route}, {@code connection}, {@code message},
 * {@code runtime} and {@code id}.
 */
package io.waybill.client.internal.send;
