/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.platform.Clock;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.Slice;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes one line for each request that changes something on behalf of an operator, whether it was done or refused:
 *
 * <pre>
 * peer=10.0.0.7:41904 request=DELETE_TOPIC_IN_BROKER result=0 fields="topic=orders" before="4/4 perm 6" after=none
 * </pre>
 *
 * <p>The names in front of the equals signs and their order never change; {@code before}, {@code after} and {@code remark} are left out when there is
 * none. A value with anything but letters, digits and the usual signs is in quotes, with {@code \"} and {@code \\} in it. Bounded: a value has at most
 * {@value #MOST_CHARACTERS} characters, and in any 10 seconds at most {@value #MOST_LINES} lines are written; the first one after that says how many were
 * left out. The handler says before and after with {@link #changed}. Thread-safe.
 */
public final class AdminLog {
    /** By its own name, so that an operator can send it to a file of its own. */
    private static final Logger LOG = LoggerFactory.getLogger("io.waybill.admin");

    static final int MOST_CHARACTERS = 400;
    static final int MOST_LINES = 200;
    private static final long INTERVAL_MILLIS = 10_000;

    private final LogRateLimiter limiter;
    private final Consumer<String> lines;

    public AdminLog(Clock clock) {
        this(clock, LOG::info);
    }

    /** @param lines takes the lines in place of the log */
    public AdminLog(Clock clock, Consumer<String> lines) {
        this.limiter = new LogRateLimiter(clock, MOST_LINES, INTERVAL_MILLIS);
        this.lines = lines;
    }

    /** The handler with a line for each of its requests. {@code name} is that of the request code. */
    public RequestHandler watch(String name, RequestHandler handler) {
        return request -> {
            Watched watched = new Watched(name, request);
            try {
                handler.handle(watched);
            } catch (RuntimeException e) {
                watched.done(-1, e.getMessage(), null);
                throw e;
            }
        };
    }

    /** Notes what stood there and what stands there now; nothing if nobody watches the request. Before the reply. */
    public static void changed(Request request, Object before, Object after) {
        if (request instanceof Watched watched) {
            watched.before = before == null ? "none" : String.valueOf(before);
            watched.after = after == null ? "none" : String.valueOf(after);
        }
    }

    /** Whether a line will be written for the request: for who would have to look up what stood there. */
    public static boolean watches(Request request) {
        return request instanceof Watched;
    }

    /** Notes only what stood there; the answer says what stands there now. */
    public static void before(Request request, Object before) {
        if (request instanceof Watched watched) {
            watched.before = String.valueOf(before);
        }
    }

    /** Says that the request was only a question: it leaves no line. */
    public static void onlyRead(Request request) {
        if (request instanceof Watched watched) {
            watched.done.set(true);
        }
    }

    private final class Watched implements Request {
        private final String name;
        private final Request request;
        private final String fields;
        private final AtomicBoolean done = new AtomicBoolean();
        volatile String before;
        volatile String after;

        Watched(String name, Request request) {
            this.name = name;
            this.request = request;
            // Now: the bytes of the body are gone when the handler has returned.
            this.fields = fields(request.command());
        }

        @Override
        public Command command() {
            return request.command();
        }

        @Override
        public Connection connection() {
            return request.connection();
        }

        @Override
        public long arrivedNanos() {
            return request.arrivedNanos();
        }

        @Override
        public void reply(Command response) {
            done(response.code(), response.remark(), response.code() == 0 ? response.body() : null);
            request.reply(response);
        }

        @Override
        public void reply(Command head, List<ByteBuffer> body, Runnable released) {
            done(head.code(), head.remark(), null);
            request.reply(head, body, released);
        }

        @Override
        public void refuse(int code, String remark) {
            done(code, remark, null);
            request.refuse(code, remark);
        }

        void done(int code, String remark, ByteBuffer answer) {
            if (!done.compareAndSet(false, true)) {
                return;
            }
            String more = limiter.admit();
            if (more == null) {
                return;
            }
            InetSocketAddress peer = request.connection().remoteAddress();
            StringBuilder line = new StringBuilder(256);
            add(line, "peer", peer.getHostString() + ":" + peer.getPort());
            add(line, "request", name);
            add(line, "result", Integer.toString(code));
            add(line, "fields", fields);
            add(line, "before", before);
            add(line, "after", after != null || answer == null ? after : text(answer));
            add(line, "remark", remark);
            lines.accept(line + more);
        }
    }

    /** The fields, and the beginning of the body if it is text. */
    private static String fields(Command command) {
        StringBuilder text = new StringBuilder();
        command.fields().forEach((key, value) -> {
            if (text.length() < MOST_CHARACTERS && key.length() <= MOST_CHARACTERS && !isSecret(key)) {
                text.append(text.length() == 0 ? "" : " ").append(key).append('=');
                if (value.length() <= MOST_CHARACTERS) {
                    text.append(value);
                } else {
                    text.append('(').append(value.length()).append(" bytes)");
                }
            }
        });
        if (command.bodyLength() > 0 && text.length() < MOST_CHARACTERS) {
            text.append(text.length() == 0 ? "" : " ").append(text(command.body()));
        }
        return text.toString();
    }

    private static boolean isSecret(Slice key) {
        return key.equalsAscii("Signature") || key.equalsAscii("SecurityToken");
    }

    private static String text(ByteBuffer body) {
        byte[] start = new byte[Math.min(body.remaining(), MOST_CHARACTERS)];
        body.duplicate().get(start);
        return start.length == 0 ? null : new String(start, StandardCharsets.UTF_8);
    }

    private static void add(StringBuilder line, String name, String value) {
        if (value == null || value.isEmpty()) {
            return;
        }
        line.append(line.length() == 0 ? "" : " ").append(name).append('=');
        String shown = value.length() > MOST_CHARACTERS ? value.substring(0, MOST_CHARACTERS) + "..." : value;
        if (shown.chars().allMatch(AdminLog::isPlain)) {
            line.append(shown);
            return;
        }
        line.append('"');
        for (int i = 0; i < shown.length(); i++) {
            char c = shown.charAt(i);
            if (c == '"' || c == '\\') {
                line.append('\\').append(c);
            } else {
                // What a terminal or a reader of lines would take for something else.
                line.append(c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 ? '?' : c);
            }
        }
        line.append('"');
    }

    private static boolean isPlain(int c) {
        return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || "._:/%|+-@,".indexOf(c) >= 0;
    }
}
