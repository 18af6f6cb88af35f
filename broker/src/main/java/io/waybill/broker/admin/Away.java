/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.request.Continuation;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Request;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/** Answers that may need the disk, made off the event loop. A request gets exactly one answer, also when its making fails. */
final class Away {
    private final Executor blocking;

    Away(Executor blocking) {
        this.blocking = blocking;
    }

    /** Replies with what the supplier makes, or with 29 for a field it cannot take, or with 1. */
    void reply(Request request, Supplier<Command> answer) {
        run(request, () -> request.reply(answer.get()));
    }

    /** Runs an action that replies by itself, perhaps later. */
    void run(Request request, Runnable action) {
        Continuation.run(blocking, request, action);
    }

    static Command body(byte[] body) {
        return Command.response(ResponseCode.SUCCESS, null).body(body).build();
    }

    static Command ok() {
        return Command.response(ResponseCode.SUCCESS, null).build();
    }
}
