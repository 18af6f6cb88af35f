/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.embedded;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.awaitility.Awaitility;

/** What a test does with clients of one name server, whichever library they are of. */
public abstract class TestClients implements AutoCloseable {
    /** So long a test waits for what must happen; a busy machine needs it, a quick one does not notice. */
    public static final Duration LIMIT = Duration.ofSeconds(60);

    private static final AtomicInteger NAMES = new AtomicInteger();

    private final Supplier<String> namesrv;

    protected TestClients(String namesrv) {
        this.namesrv = () -> namesrv;
    }

    /** Clients that are closed by the extension. */
    @SuppressWarnings("this-escape") // kept for close, which nobody calls before the test has run
    protected TestClients(TestBroker broker) {
        this.namesrv = broker::namesrvAddress;
        broker.closes(this);
    }

    protected final String namesrv() {
        return namesrv.get();
    }

    /** A name that no other test of this process has. */
    public static String unique(String stem) {
        return stem + "-" + NAMES.incrementAndGet();
    }

    public static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    public static void await(String what, BooleanSupplier condition) {
        await(what, LIMIT, condition);
    }

    public static void await(String what, Duration limit, BooleanSupplier condition) {
        Awaitility.await(what).atMost(limit).pollInterval(Duration.ofMillis(20)).until(condition::getAsBoolean);
    }

    /** Ends every client it made. */
    @Override
    public abstract void close();
}
