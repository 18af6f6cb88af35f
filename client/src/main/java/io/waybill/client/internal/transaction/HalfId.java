/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.transaction;

/** The header values of a half message or of a check that the end must repeat. */
record HalfId(String topic, String broker, long queueOffset, long position, String messageId, String transactionId) {}
