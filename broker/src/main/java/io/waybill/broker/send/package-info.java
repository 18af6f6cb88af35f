/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Sending: checks, placing and storing of single messages and batches, and the reply every kind of send gets. Start reading
 * at {@link io.waybill.broker.send.SendFeature}. Imports {@code timer}, {@code transaction}, and packages of the core wing.
 */
package io.waybill.broker.send;
