/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Between messages as applications see them and as the protocol carries them: encoding, compression, filters, names of queues. Pure, but for the
 * libraries that read what other clients have compressed.
 *
 * <p>Start with {@link io.waybill.client.internal.message.EncodedMessage} for what is sent and
 * {@link io.waybill.client.internal.message.InboundMessage} for what is received. May import {@code id} and {@code runtime}.
 */
package io.waybill.client.internal.message;
