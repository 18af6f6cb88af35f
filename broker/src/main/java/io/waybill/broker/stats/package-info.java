/* SPDX-License-Identifier: Apache-2.0 */
/** How much went through: messages and bytes by topic and by group, over the last minute, hour and day. */
package io.waybill.broker.stats;
