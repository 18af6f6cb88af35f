/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/** The name of a queue. */
public record QueueKey(String topic, int queueId) {}
