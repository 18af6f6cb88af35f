/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Pulling: the decision what a pull is answered, tag filtering by the text, and pulls that wait for a message.
 */
package io.waybill.broker.pull;
