/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The requests of operators and their tools about groups, topics and the broker as a whole.
 *
 * <p>Start with {@link io.waybill.broker.admin.GroupAdminFeature} and {@link io.waybill.broker.admin.BrokerAdminFeature}. Operate wing: imports the core wing.
 */
package io.waybill.broker.admin;
