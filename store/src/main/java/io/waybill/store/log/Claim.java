/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** What the bytes at a position say of themselves if they are a message. Unverified. */
public record Claim(String topic, int queueId, long queueOffset) {}
