/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Request;
import io.waybill.store.log.Outcome;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * What a handler answers: a response, a refusal, or {@link #LATER}. Immutable.
 *
 * <p>A handler that returns LATER has taken over: exactly one reply is made through the request itself, by it or by whom it gave the request to. So a send or
 * a pull that is answered when the store has confirmed costs no object here.
 */
public final class Reply {
    /** The request was answered already, or will be, through {@link Request#reply} or {@link Request#refuse}. */
    public static final Reply LATER = new Reply(0, null, null, null, null);

    private final int code;
    private final String text;
    private final Command head;
    private final List<ByteBuffer> slices;
    private final Runnable released;

    private Reply(int code, String text, Command head, List<ByteBuffer> slices, Runnable released) {
        this.code = code;
        this.text = text;
        this.head = head;
        this.slices = slices;
        this.released = released;
    }

    /** Success, with nothing to say. */
    public static Reply success() {
        return of(Command.response(ResponseCode.SUCCESS, null).build());
    }

    /** Success with a body. */
    public static Reply success(byte[] body) {
        return of(Command.response(ResponseCode.SUCCESS, null).body(body).build());
    }

    public static Reply of(Command response) {
        return new Reply(0, null, response, null, null);
    }

    /** A response whose body are these slices, as {@link Request#reply(Command, List, Runnable)}. */
    public static Reply of(Command head, List<ByteBuffer> slices, Runnable released) {
        return new Reply(0, null, head, slices, released);
    }

    /** A code and a sentence. */
    public static Reply refused(int code, String text) {
        return new Reply(code, text, null, null, null);
    }

    /** What the store said: success, or its code and sentence. */
    public static Reply of(Outcome outcome) {
        return of(
                Command.response(Outcomes.code(outcome), Outcomes.text(outcome)).build());
    }

    /** Makes the reply; for a handler that returned LATER before. */
    public void send(Request request) {
        if (this == LATER) {
            return;
        }
        if (head == null) {
            request.refuse(code, text);
        } else if (slices == null) {
            request.reply(head);
        } else {
            request.reply(head, slices, released);
        }
    }
}
