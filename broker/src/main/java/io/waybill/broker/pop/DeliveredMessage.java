/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import java.nio.ByteBuffer;

/**
 * A message that a pop gets.
 *
 * @param message a slice of the log, or a copy of it that says how often it was tried
 * @param deliveries this one included
 */
record DeliveredMessage(long offset, ByteBuffer message, int deliveries) {}
