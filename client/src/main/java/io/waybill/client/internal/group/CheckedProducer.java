/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.group;

import io.waybill.client.internal.message.InboundMessage;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Connection;

/** What a broker checks: a producer that must know the outcome of its transactions. */
public interface CheckedProducer {
    /**
     * The broker asks for a decision. Called on an I/O thread; the answer goes the way the question came.
     *
     * @param question the request, of which only the call itself may use the bytes
     */
    void check(Connection asker, Command question, InboundMessage message);
}
