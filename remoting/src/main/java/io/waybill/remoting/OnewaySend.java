/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.protocol.frame.Command;

/** A request without an answer, on its way out. */
final class OnewaySend extends Outgoing {
    private final Command command;

    OnewaySend(Command command) {
        this.command = command;
    }

    @Override
    Command outgoing() {
        return command;
    }

    @Override
    int opaque(SocketConnection connection) {
        return connection.nextOpaque();
    }

    @Override
    void encoded(SocketConnection connection) {}

    @Override
    void dropped(SocketConnection connection, RuntimeException reason) {}
}
