/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.server;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * A whole Waybill inside a test: real name server, real broker, real files, free ports, loopback only.
 *
 * <pre>{@code
 * try (EmbeddedBroker broker = EmbeddedBroker.start();
 *         WaybillClient client = WaybillClient.connect(broker.namesrvAddress())) {
 *     client.producer("test").build().send(Message.to("orders").body("hello").build());
 * }
 * }</pre>
 *
 * <p>Without a directory of its own the data lies in a temporary one that {@link #close()} removes.
 */
public final class EmbeddedBroker implements AutoCloseable {
    private static final long SEGMENT_BYTES = 4L << 20;

    private final WaybillServer server;
    private final Path temporary; // null = the caller's directory, which stays

    private EmbeddedBroker(WaybillServer server, Path temporary) {
        this.server = server;
        this.temporary = temporary;
    }

    /** Starts one with an empty store in a temporary directory. */
    public static EmbeddedBroker start() {
        return new Builder(null).start();
    }

    /** One that keeps its data in a directory, to be closed and started again. */
    public static Builder in(Path directory) {
        return new Builder(directory);
    }

    /** One with a setting of the broker changed. */
    public static Builder with(String key, String value) {
        return new Builder(null).with(key, value);
    }

    /** What clients connect to: {@code host:port} of the name server. */
    public String namesrvAddress() {
        return WaybillServer.text(server.namesrvAddress());
    }

    /** {@code host:port} of the broker; clients get it from the name server. */
    public String brokerAddress() {
        return WaybillServer.text(server.brokerAddress());
    }

    /** Where its data lies if the directory is a temporary one, else null. */
    Path temporary() {
        return temporary;
    }

    /** Stops it, and removes the data if the directory was a temporary one. Idempotent. */
    @Override
    public void close() {
        server.close();
        remove(temporary);
    }

    private static void remove(Path directory) {
        if (directory == null || !Files.exists(directory)) {
            return;
        }
        try (Stream<Path> tree = Files.walk(directory)) {
            List<Path> deepestFirst = tree.sorted(Comparator.reverseOrder()).toList();
            for (Path path : deepestFirst) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove the temporary data of an embedded broker", e);
        }
    }

    /** Collects what differs from the defaults. */
    public static final class Builder {
        private final Path directory;
        private ServerSettings settings;

        private Builder(Path directory) {
            this.directory = directory;
            this.settings = ServerSettings.in(directory)
                    .ports(0, 0)
                    .with("segmentBytes", Long.toString(SEGMENT_BYTES))
                    .with("freeDiskFloorBytes", "0");
        }

        /**
         * Changes a setting of the broker, for example {@code with("transactionCheckMillis", "200")}.
         *
         * @throws IllegalArgumentException naming key, limit and what was seen
         */
        public Builder with(String key, String value) {
            settings = settings.with(key, value);
            return this;
        }

        /** Listens on chosen ports, for example those of an earlier one; 0 takes a free one. */
        public Builder ports(int namesrvPort, int brokerPort) {
            settings = settings.ports(namesrvPort, brokerPort);
            return this;
        }

        /**
         * Starts it; when this returns, it serves.
         *
         * @throws IllegalStateException saying what did not work and what to do
         */
        public EmbeddedBroker start() {
            Path temporary = null;
            try {
                temporary = directory == null ? Files.createTempDirectory("waybill-embedded-") : null;
                Path data = directory == null ? temporary : directory;
                return new EmbeddedBroker(
                        WaybillServer.start(new ServerSettings(
                                data, settings.namesrvPort(), settings.brokerPort(), settings.broker())),
                        temporary);
            } catch (StartException e) {
                remove(temporary);
                throw new IllegalStateException(e.getMessage() + "; " + e.advice(), e);
            } catch (IOException e) {
                throw new UncheckedIOException("cannot make a temporary directory", e);
            }
        }
    }
}
