/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

/**
 * @param autoCreate whether the first send to a topic creates it
 * @param autoCreateQueues most queues of a topic that a send creates
 * @param most topics there may be, built-in ones included
 */
public record TopicSettings(boolean autoCreate, int autoCreateQueues, int most) {}
