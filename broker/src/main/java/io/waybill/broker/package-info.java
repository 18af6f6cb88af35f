/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The broker: {@link io.waybill.broker.Broker} puts the features together and gives them a socket; nothing else lives here.
 */
package io.waybill.broker;
