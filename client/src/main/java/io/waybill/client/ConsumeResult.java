/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** What became of a message in a handler. */
public final class ConsumeResult {
    /** Done; it will not come again. */
    public static final ConsumeResult SUCCESS = new ConsumeResult(Kind.DONE, null, null);

    /**
     * Not done; give it again later. Concurrent consumers get it again with growing delay, at last it goes to the dead letters of the group;
     * ordered consumers get it again, before anything behind it in its queue.
     */
    public static final ConsumeResult RETRY_LATER = new ConsumeResult(Kind.RETRY, null, null);

    /** It will never work: straight to the dead letters of the group, without further retries. */
    public static final ConsumeResult REJECT = new ConsumeResult(Kind.REJECTED, null, null);

    /** Kinds of results. */
    public enum Kind {
        /** See {@link ConsumeResult#SUCCESS}. */
        DONE,
        /** See {@link ConsumeResult#RETRY_LATER}. */
        RETRY,
        /** See {@link ConsumeResult#REJECT}. */
        REJECTED
    }

    private final Kind kind;
    private final Duration delay;
    private final byte[] reply;

    private ConsumeResult(Kind kind, Duration delay, byte[] reply) {
        this.kind = kind;
        this.delay = delay;
        this.reply = reply;
    }

    /**
     * Like {@link #RETRY_LATER}, after this time. Consumers by pull can ask only for the delay levels of the broker (1 s, 5 s, 10 s, 30 s, 1 min ... 2 h):
     * theirs is the shortest that is not shorter. By pop, and for the pause of an ordered queue, it counts to the millisecond.
     */
    public static ConsumeResult retryAfter(Duration delay) {
        if (delay == null || delay.isNegative()) {
            throw new WaybillException(
                    WaybillException.Kind.INVALID,
                    -1,
                    false,
                    "the delay of a retry must not be negative, but is " + delay,
                    "use RETRY_LATER to leave it to the broker",
                    null);
        }
        return new ConsumeResult(Kind.RETRY, delay, null);
    }

    /** Done, with an answer for whoever waits in {@link Producer#request}; without effect beyond {@link #SUCCESS} if nobody does. */
    public static ConsumeResult reply(byte[] body) {
        return new ConsumeResult(Kind.DONE, null, body.clone());
    }

    /** Like {@link #reply(byte[])}, as UTF-8. */
    public static ConsumeResult reply(String text) {
        return new ConsumeResult(Kind.DONE, null, text.getBytes(StandardCharsets.UTF_8));
    }

    public Kind kind() {
        return kind;
    }

    /** True if it will not come again to this handler. */
    public boolean isDone() {
        return kind == Kind.DONE;
    }

    /** When to give it again, or null to leave that to the broker. */
    public Duration delay() {
        return delay;
    }

    /** The answer to a question, or null. */
    public byte[] reply() {
        return reply == null ? null : reply.clone();
    }

    @Override
    public String toString() {
        return kind + (delay == null ? "" : " after " + delay) + (reply == null ? "" : " with a reply");
    }
}
