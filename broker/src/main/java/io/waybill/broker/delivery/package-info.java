/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Who got which messages when, and who acknowledged them: noted in memory, written together (ADR 0017). Start reading at
 * {@link io.waybill.broker.delivery.DeliveryLog}. Imports no other package of the broker.
 */
package io.waybill.broker.delivery;
