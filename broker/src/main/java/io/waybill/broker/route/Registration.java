/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.route;

import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Feature;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.settings.RegistrationSettings;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.DataVersion;
import io.waybill.protocol.body.RegisterBrokerBody;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicConfigTable;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.BrokerHeader;
import io.waybill.protocol.header.RegisterBrokerHeader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
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
public final class Registration implements Duty, Feature {
    private static final Logger log = LoggerFactory.getLogger(Registration.class);

    /** By the estimates below, which are never too small. */
    private static final long MOST_PART_BYTES = 4 << 20;

    private static final long TOPIC_BYTES = 256;
    private static final long ATTRIBUTE_BYTES = 8;

    /** In JSON: an escaped one. */
    private static final long MOST_CHARACTER_BYTES = 6;

    private final NameServers nameServers;
    private final Topics topics;
    private final RegistrationSettings settings;
    private final String brokerName;
    private final String address;
    private final Clock clock;
    private final long periodNanos;

    private final PublicationQueue publications;
    /** Guarded by this. */
    private boolean running;
    /** When the next round without a change is due. Of the duty's thread. */
    private long nextNanos;

    /** Name servers whose last registration failed, so that only changes are logged. */
    private final Map<String, Boolean> failing = new ConcurrentHashMap<>();

    /** By name server the sentence with which it says that another living broker has this one's name. */
    private final Map<String, String> conflicts = new ConcurrentHashMap<>();

    private final Consumer<String> conflictListener;

    /**
     * @param publications who waits for a round; the topics publish there
     * @param address where clients reach this broker, as {@code host:port}
     * @param conflictListener is notified with the sentence when a name server says that another living broker has this one's name, and with null when none
     *     says so any more
     */
    public Registration(
            NameServers nameServers,
            PublicationQueue publications,
            Topics topics,
            BrokerSettings settings,
            String address,
            Clock clock,
            Consumer<String> conflictListener) {
        this.conflictListener = conflictListener;
        this.nameServers = nameServers;
        this.publications = publications;
        this.topics = topics;
        this.settings = settings.registration();
        this.brokerName = settings.brokerName();
        this.address = address;
        this.clock = clock;
        this.nextNanos = clock.nanoTime();
        this.periodNanos = TimeUnit.MILLISECONDS.toNanos(this.settings.intervalMillis());
    }

    @Override
    public void duties(BackgroundDuties duties) {
        duties.add(this, publications.wakeup());
    }

    /** One registration with every name server, completed when all answered or ran out of time. */
    public CompletableFuture<Void> registerNow() {
        CompletableFuture<Void> done = new CompletableFuture<>();
        publications.publish(() -> done.complete(null));
        return done;
    }

    private void startRound() {
        List<Runnable> told;
        synchronized (this) {
            if (running) {
                return;
            }
            told = publications.take();
            if (told.isEmpty()) {
                return;
            }
            running = true;
        }
        CompletableFuture<?>[] answers;
        try {
            TopicConfigTable table = topics.snapshot();
            List<List<TopicConfig>> parts = parts(table);
            answers = settings.nameServers().stream()
                    .map(nameServer -> register(nameServer, table, parts))
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
        publications.wakeup().wake();
    }

    /** The topics in parts that fit a frame each, whatever their names and attributes. */
    static List<List<TopicConfig>> parts(TopicConfigTable table) {
        List<List<TopicConfig>> parts = new ArrayList<>();
        List<TopicConfig> part = new ArrayList<>();
        long bytes = 0;
        for (TopicConfig topic : table.topicConfigTable().values()) {
            long size = TOPIC_BYTES + 2L * topic.topicName().length();
            for (Map.Entry<String, String> attribute : topic.attributes().entrySet()) {
                size += ATTRIBUTE_BYTES
                        + attribute.getKey().length()
                        + MOST_CHARACTER_BYTES * (long) attribute.getValue().length();
            }
            if (bytes + size > MOST_PART_BYTES && !part.isEmpty()) {
                parts.add(part);
                part = new ArrayList<>();
                bytes = 0;
            }
            part.add(topic);
            bytes += size;
        }
        parts.add(part);
        return parts;
    }

    /**
     * One registration with one name server. A table of one part is sent each time, which also says that this broker lives. A larger one only if the name
     * server does not have it: asking for the version says the same.
     */
    private CompletableFuture<Void> register(String nameServer, TopicConfigTable table, List<List<TopicConfig>> parts) {
        CompletableFuture<Command> answer;
        if (parts.size() == 1) {
            answer = call(nameServer, request(table.dataVersion(), parts.get(0)));
        } else {
            Command question = Command.request(RequestCode.QUERY_DATA_VERSION)
                    .header(me())
                    .body(table.dataVersion().toJson())
                    .build();
            answer = call(nameServer, question)
                    .thenCompose(known -> known.code() == ResponseCode.SUCCESS
                                    && !known.fields().getBoolean("changed", true)
                            ? CompletableFuture.completedFuture(known)
                            : sendParts(nameServer, table.dataVersion(), parts, 0));
        }
        return answer.handle((response, error) -> {
            note(nameServer, response, error);
            return null;
        });
    }

    /** One after the other; the version stands with the last one, so that a name server that missed one is sent all again. */
    private CompletableFuture<Command> sendParts(
            String nameServer, DataVersion version, List<List<TopicConfig>> parts, int index) {
        boolean isLast = index == parts.size() - 1;
        // A version of its own for each: a name server reads the topics only when it differs from the one before.
        DataVersion partVersion =
                isLast ? version : new DataVersion(version.stateVersion(), version.timestamp(), -1 - index);
        CompletableFuture<Command> answer = call(nameServer, request(partVersion, parts.get(index)));
        return isLast
                ? answer
                : answer.thenCompose(response -> response.code() == ResponseCode.SUCCESS
                        ? sendParts(nameServer, version, parts, index + 1)
                        : CompletableFuture.completedFuture(response));
    }

    private CompletableFuture<Command> call(String nameServer, Command request) {
        return nameServers.call(nameServer, request, settings.timeoutMillis());
    }

    private BrokerHeader me() {
        return new BrokerHeader(brokerName, address, settings.clusterName(), settings.brokerId());
    }

    /** The sentence about another living broker of this name; null when there is none. */
    public String conflict() {
        for (String sentence : conflicts.values()) {
            return sentence;
        }
        return null;
    }

    private void noteConflict(String nameServer, Command response) {
        String heldBy = response.fields().get("heldBy");
        String before = conflict();
        if (response.code() == ResponseCode.SUCCESS) {
            conflicts.remove(nameServer);
        } else if (heldBy != null) {
            conflicts.put(nameServer, "name server " + nameServer + " refuses this broker: " + response.remark());
        }
        String now = conflict();
        if (!Objects.equals(before, now)) {
            conflictListener.accept(now);
        }
    }

    private void note(String nameServer, Command response, Throwable error) {
        if (response != null) {
            noteConflict(nameServer, response);
        }
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

    private Command request(DataVersion version, List<TopicConfig> part) {
        Map<String, TopicConfig> byName = new LinkedHashMap<>();
        part.forEach(topic -> byName.put(topic.topicName(), topic));
        byte[] body = new RegisterBrokerBody(new TopicConfigTable(version, byName)).toJson();
        return Command.request(RequestCode.REGISTER_BROKER)
                .header(new RegisterBrokerHeader(
                        brokerName,
                        address,
                        settings.clusterName(),
                        address,
                        settings.brokerId(),
                        0,
                        false,
                        false,
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
            publications.add(() -> {});
        }
        startRound();
        return nextNanos - now;
    }

    /**
     * Says goodbye to every name server; nothing is registered after that. Completes when all answered or ran out of time.
     */
    public CompletableFuture<Void> unregister() {
        publications.close().forEach(Runnable::run);
        Command request =
                Command.request(RequestCode.UNREGISTER_BROKER).header(me()).build();
        CompletableFuture<?>[] answers = settings.nameServers().stream()
                .map(nameServer -> nameServers
                        .call(nameServer, request, settings.timeoutMillis())
                        .exceptionally(error -> null))
                .toArray(CompletableFuture<?>[]::new);
        return CompletableFuture.allOf(answers);
    }
}
