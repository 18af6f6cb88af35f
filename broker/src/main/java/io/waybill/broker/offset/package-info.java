/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Offsets: what groups have committed and what queues hold.
 */
package io.waybill.broker.offset;
