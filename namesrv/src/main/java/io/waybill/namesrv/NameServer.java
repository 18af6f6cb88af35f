/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import io.waybill.platform.Files;
import io.waybill.platform.MemoryBudget;
import io.waybill.platform.Platform;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.BindAddressCheck;
import io.waybill.remoting.EventLoops;
import io.waybill.remoting.RemotingServer;
import io.waybill.remoting.ServerSettings;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One name server: a route table, the requests on it, and a duty that forgets silent brokers. */
public final class NameServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NameServer.class);

    /** Of 320 MiB heap, 32 MiB: 100,000 topics of one broker. */
    private static final int ROUTES_DIVISOR = 10;

    private final DutyHandle expiry;
    private final RemotingServer server;

    private NameServer(DutyHandle expiry, RemotingServer server) {
        this.expiry = expiry;
        this.server = server;
    }

    /** The same without a directory: what is put into its key-value table ends with it. */
    public static NameServer start(NameServerSettings settings, EventLoops loops, Platform platform)
            throws IOException {
        return start(settings, loops, platform, null);
    }

    /**
     * Listens at once. The event loops, the platform and the directory stay the caller's, who sees to it that no other name server has the directory.
     *
     * @param files where the key-value table is kept; null to keep it in memory
     * @throws IOException names the address when it cannot be bound, or the table when it cannot be read
     * @throws IllegalArgumentException when other machines reach the address and that was not asked for
     */
    public static NameServer start(NameServerSettings settings, EventLoops loops, Platform platform, Files files)
            throws IOException {
        BindAddressCheck.check(settings.host(), settings.insecure());
        KvConfig kv = files == null
                ? new KvConfig()
                : new KvConfig(new KvFile(files), platform.duties().executor("namesrv-kv", 1));
        RouteTable table = new RouteTable(MemoryBudget.ofHeap(ROUTES_DIVISOR));
        DutyHandle expiry = platform.duties().start(new Expiry(table, platform.clock(), settings.brokerExpiryMillis()));
        NameRequests requests = new NameRequests(
                table,
                kv,
                platform.clock(),
                new AdminLog(platform.clock()),
                expiry::wake,
                "brokerExpiryMillis=" + settings.brokerExpiryMillis() + "\nhost=" + settings.host() + "\nlistenPort="
                        + settings.port() + "\n");
        try {
            RemotingServer server = RemotingServer.start(
                    ServerSettings.defaults(settings.host(), settings.port()), loops, requests, requests);
            return new NameServer(expiry, server);
        } catch (IOException | RuntimeException e) {
            expiry.close();
            throw e;
        }
    }

    /** Where it listens, with the real port. */
    public InetSocketAddress address() {
        return server.address();
    }

    @Override
    public void close() {
        server.close();
        expiry.close();
    }

    /** Wakes when the next broker would expire, and not at all without brokers. */
    private record Expiry(RouteTable table, Clock clock, long expiryMillis) implements Duty {
        @Override
        public String roleName() {
            return "namesrv-expiry";
        }

        @Override
        public long run() {
            List<String> gone = table.expire(NameRequests.millis(clock), expiryMillis);
            if (!gone.isEmpty()) {
                LOG.warn("brokers at {} are gone: silent for {} ms", gone, expiryMillis);
            }
            long next = table.nextExpiry(expiryMillis);
            return next == Long.MAX_VALUE
                    ? WHEN_WOKEN
                    : TimeUnit.MILLISECONDS.toNanos(Math.max(1, next - NameRequests.millis(clock) + 1));
        }
    }
}
