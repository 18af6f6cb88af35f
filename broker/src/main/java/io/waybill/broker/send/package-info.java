/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Sending: checks, placing and storing of single messages and batches, and the reply every kind of send gets.
 */
package io.waybill.broker.send;
