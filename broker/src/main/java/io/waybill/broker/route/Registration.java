/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.route;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.topic.TopicPublisher;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.RegisterBrokerBody;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.BrokerHeader;
import io.waybill.protocol.header.RegisterBrokerHeader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells every name server what this broker serves: at start, every {@code registerMillis}, at once when a topic changed,
 * and that it is gone when it closes.
 *
 * <p>One round goes to all name servers at the same time. A topic change that comes while a round is under way waits for
 * the next one, so whoever was told "published" is in a round that began after the change. A name server that does not
 * answer in time never fails a change; it learns of it with a later round. Safe from any thread.
 */
public final class Registration implements TopicPublisher, Duty {
    private static final Logger log = LoggerFactory.getLogger(Registration.class);

    private static final int MOST_PLAIN_BYTES = 8 << 20;

    private final NameServers nameServers;
    private final Topics topics;
    private final BrokerSettings settings;
    private final String address;
    private final Clock clock;
    private final long periodNanos;

    /** Who waits for a round that begins after now. Guarded by this. */
    private List<Runnable> waiting = new ArrayList<>();
    /** Guarded by this. */
    private boolean running;
    /** Guarded by this. */
    private boolean closed;
    /** When the next round without a change is due. Of the duty's thread. */
    private long nextNanos;

    private volatile DutyHandle self;
    /** Name servers whose last registration failed, so that only changes are logged. */
    private final Map<String, Boolean> failing = new ConcurrentHashMap<>();

    /**
     * @param address where clients reach this broker, as {@code host:port}
     */
    public Registration(NameServers nameServers, Topics topics, BrokerSettings settings, String address, Clock clock) {
        this.nameServers = nameServers;
        this.topics = topics;
        this.settings = settings;
        this.address = address;
        this.clock = clock;
        this.nextNanos = clock.nanoTime();
        this.periodNanos = TimeUnit.MILLISECONDS.toNanos(settings.registerMillis());
    }

    @Override
    public void publish(Runnable then) {
        synchronized (this) {
            if (!closed && !settings.nameServers().isEmpty()) {
                waiting.add(then);
                then = null;
            }
        }
        if (then != null) {
            then.run();
            return;
        }
        wake();
    }

    /** Sets the hold on this duty; once, before the first change. */
    public void startedAs(DutyHandle handle) {
        this.self = handle;
        handle.wake();
    }

    /** Lets the duty's thread start a round: a change is told by the thread that confirms, which has no time for it. */
    private void wake() {
        DutyHandle handle = self;
        if (handle != null) {
            handle.wake();
        }
    }

    /** One registration with every name server, completed when all answered or ran out of time. */
    public CompletableFuture<Void> registerNow() {
        CompletableFuture<Void> done = new CompletableFuture<>();
        publish(() -> done.complete(null));
        return done;
    }

    private void startRound() {
        List<Runnable> told;
        synchronized (this) {
            if (running || waiting.isEmpty()) {
                return;
            }
            running = true;
            told = waiting;
            waiting = new ArrayList<>();
        }
        CompletableFuture<?>[] answers;
        try {
            Command request = request();
            answers = settings.nameServers().stream()
                    .map(nameServer -> register(nameServer, request))
                    .toArray(CompletableFuture<?>[]::new);
        } catch (RuntimeException e) {
            log.warn("The registration could not be sent", e);
            answers = new CompletableFuture<?>[0];
        }
        CompletableFuture.allOf(answers).whenComplete((ok, error) -> endRound(told));
    }

    private void endRound(List<Runnable> told) {
        synchronized (this) {
            running = false;
        }
        for (Runnable then : told) {
            try {
                then.run();
            } catch (RuntimeException e) {
                log.warn("A waiter for the registration failed", e);
            }
        }
        wake();
    }

    private CompletableFuture<Void> register(String nameServer, Command request) {
        return nameServers
                .call(nameServer, request, settings.registerTimeoutMillis())
                .handle((response, error) -> {
                    note(nameServer, response, error);
                    return null;
                });
    }

    private void note(String nameServer, Command response, Throwable error) {
        boolean failed = error != null || response.code() != ResponseCode.SUCCESS;
        Boolean before = failing.put(nameServer, failed);
        if (failed && !Boolean.TRUE.equals(before)) {
            log.warn(
                    "Registration with name server {} failed: {}",
                    nameServer,
                    error != null ? error.toString() : response.code() + " " + response.remark());
        } else if (!failed && !Boolean.FALSE.equals(before)) {
            log.info("Registered with name server {}", nameServer);
        }
    }

    private Command request() {
        RegisterBrokerBody all = new RegisterBrokerBody(topics.snapshot());
        byte[] plain = all.toJson();
        // Compressed it says less (no order, no flags), but a table of 100 000 topics would not fit a frame otherwise.
        boolean compressed = plain.length > MOST_PLAIN_BYTES;
        byte[] body = compressed ? all.toCompressed() : plain;
        return Command.request(RequestCode.REGISTER_BROKER)
                .header(new RegisterBrokerHeader(
                        settings.brokerName(),
                        address,
                        settings.clusterName(),
                        address,
                        settings.brokerId(),
                        0,
                        false,
                        compressed,
                        RegisterBrokerBody.crc(ByteBuffer.wrap(body)),
                        null))
                .body(body)
                .build();
    }

    @Override
    public String roleName() {
        return "broker-registration";
    }

    @Override
    public long run() {
        if (settings.nameServers().isEmpty()) {
            return WHEN_WOKEN;
        }
        long now = clock.nanoTime();
        if (now - nextNanos >= 0) {
            nextNanos = now + periodNanos;
            synchronized (this) {
                if (!closed) {
                    waiting.add(() -> {});
                }
            }
        }
        startRound();
        return nextNanos - now;
    }

    /**
     * Says goodbye to every name server; nothing is registered after that. Completes when all answered or ran out of time.
     */
    public CompletableFuture<Void> unregister() {
        List<Runnable> told;
        synchronized (this) {
            closed = true;
            told = waiting;
            waiting = new ArrayList<>();
        }
        told.forEach(Runnable::run);
        Command request = Command.request(RequestCode.UNREGISTER_BROKER)
                .header(new BrokerHeader(settings.brokerName(), address, settings.clusterName(), settings.brokerId()))
                .build();
        CompletableFuture<?>[] answers = settings.nameServers().stream()
                .map(nameServer -> nameServers
                        .call(nameServer, request, settings.registerTimeoutMillis())
                        .exceptionally(error -> null))
                .toArray(CompletableFuture<?>[]::new);
        return CompletableFuture.allOf(answers);
    }
}
