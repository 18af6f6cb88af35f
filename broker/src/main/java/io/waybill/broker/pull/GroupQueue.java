/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

/** A consumer group in one queue. */
record GroupQueue(String group, String topic, int queueId) {}
