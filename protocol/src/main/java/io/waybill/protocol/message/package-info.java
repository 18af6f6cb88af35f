/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One message as bytes: the stored layout, its properties, batches and ids. Read
 * {@link io.waybill.protocol.message.StoredMessage} first, whose comment draws the bytes. Knows nothing of frames or JSON, so that
 * the store may import it; imports the code tables only.
 */
package io.waybill.protocol.message;
