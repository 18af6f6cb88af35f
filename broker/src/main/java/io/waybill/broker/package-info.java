/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The broker: composition of the features, and the socket in front of them. Start reading at {@link io.waybill.broker.Broker};
 * {@code Features} puts one tenure together. The only package that may import every package of the broker.
 */
package io.waybill.broker;
