/* SPDX-License-Identifier: Apache-2.0 */
/** The behaviours that the stock RocketMQ client 5.5.0, unmodified, must see. */
package io.waybill.verify.stock;
