/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Ids that no other process uses: of messages, batches, questions and clients. Start reading at {@code UniqueIds}. Imports
 * nothing of the client, so that the public types may use it.
 */
package io.waybill.client.internal.id;
