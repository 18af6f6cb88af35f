/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Topics: their settings, creation by use, deletion and return.
 *
 * <p>Start with {@link io.waybill.broker.topic.Topics}. Core wing: imports request and settings.
 */
package io.waybill.broker.topic;
