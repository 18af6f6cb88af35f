/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Who got which messages when, and who acknowledged them: noted in memory, written together.
 */
package io.waybill.broker.delivery;
