/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.server;

import io.waybill.broker.Broker;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.namesrv.NameServer;
import io.waybill.namesrv.NameServerSettings;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.remoting.EventLoops;
import java.net.InetSocketAddress;

/**
 * A name server and a broker in this process. Once {@link #start} returned, both serve and the broker is known to the
 * name server. Closing stops the broker first (its store is flushed and check-pointed), then the name server.
 */
public final class WaybillServer extends RunningBroker {
    /** Our own name server will answer; on a machine with too much to do that takes seconds, and started must mean known. */
    private static final long OWN_NAMESRV_MILLIS = 10_000;

    private final InetSocketAddress namesrvAddress;
    private final InetSocketAddress brokerAddress;

    private WaybillServer(
            Steps steps, Broker broker, InetSocketAddress namesrvAddress, InetSocketAddress brokerAddress) {
        super(steps, broker);
        this.namesrvAddress = namesrvAddress;
        this.brokerAddress = brokerAddress;
    }

    /**
     * Starts both, or neither: when a step fails, those before it are undone.
     *
     * @throws StartException saying in one sentence what did not work and in another what to do
     */
    public static WaybillServer start(ServerSettings settings) throws StartException {
        Steps steps = new Steps();
        try {
            BrokerSettings asked = settings.broker();
            Files files = steps.run("open the data directory " + settings.data(), () -> Files.real(settings.data()));
            Platform platform = Platform.real();
            steps.undoing(platform.duties());
            EventLoops loops = steps.undoing(EventLoops.shared());
            NameServer namesrv = steps.undoing(steps.run(
                    "start the name server on " + asked.listen().host() + ":" + settings.namesrvPort(),
                    () -> NameServer.start(
                            NameServerSettings.on(asked.listen().host(), settings.namesrvPort())
                                    .withInsecure(asked.listen().insecure()),
                            loops,
                            platform,
                            files)));
            InetSocketAddress namesrvAddress = namesrv.address();
            BrokerSettings filled = asked.with("port", settings.brokerPort())
                    .with("namesrv", text(reachable(asked.listen().host(), namesrvAddress)) + others(asked))
                    .with("registerTimeoutMillis", Math.max(asked.registration().timeoutMillis(), OWN_NAMESRV_MILLIS));
            Broker broker = steps.undoing(steps.run(
                    "start the broker on " + asked.listen().host() + ":" + settings.brokerPort(),
                    () -> Broker.start(filled, files, platform, loops)));
            return new WaybillServer(
                    steps,
                    broker,
                    reachable(asked.listen().host(), namesrvAddress),
                    new InetSocketAddress(
                            filled.listen().advertisedHost(), broker.address().getPort()));
        } catch (StartException | RuntimeException e) {
            steps.close();
            throw e;
        }
    }

    /** Name servers beside our own that were asked for; the default means none. */
    private static String others(BrokerSettings asked) {
        String list = asked.get("namesrv");
        return list.equals(BrokerSettings.defaults().get("namesrv")) || list.isBlank() ? "" : ";" + list;
    }

    static InetSocketAddress reachable(String host, InetSocketAddress bound) {
        return bound.getAddress() != null && bound.getAddress().isAnyLocalAddress()
                ? new InetSocketAddress("127.0.0.1", bound.getPort())
                : new InetSocketAddress(host, bound.getPort());
    }

    /** Where clients find the name server. */
    public InetSocketAddress namesrvAddress() {
        return namesrvAddress;
    }

    /** Where clients find the broker; the name server tells them. */
    public InetSocketAddress brokerAddress() {
        return brokerAddress;
    }

    /** The address as clients write it: {@code host:port}. */
    public static String text(InetSocketAddress address) {
        return address.getHostString() + ":" + address.getPort();
    }
}
