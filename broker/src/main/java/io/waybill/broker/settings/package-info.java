/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The settings of a broker: one table with limits, defaults and sentences, and a record of values for each feature.
 *
 * <p>Start with {@link io.waybill.broker.settings.BrokerSettings}. Core wing: imports no other package of the broker.
 */
package io.waybill.broker.settings;
