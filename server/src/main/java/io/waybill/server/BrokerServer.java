/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.server;

import io.waybill.broker.Broker;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.remoting.EventLoops;
import java.net.InetSocketAddress;
import java.nio.file.Path;

/** A broker alone in this process; it registers with the name servers of its settings. */
public final class BrokerServer extends RunningBroker {
    private final InetSocketAddress address;

    private BrokerServer(Steps steps, Broker broker) {
        super(steps, broker);
        this.address = broker.address();
    }

    /**
     * Starts it; when this returns, it serves. Name servers that cannot be reached are tried again and again.
     *
     * @throws StartException saying in one sentence what did not work and in another what to do
     */
    public static BrokerServer start(Path data, BrokerSettings settings) throws StartException {
        Steps steps = new Steps();
        try {
            Files files = steps.run("open the data directory " + data, () -> Files.real(data));
            Platform platform = Platform.real();
            steps.undoing(platform.duties());
            EventLoops loops = steps.undoing(EventLoops.shared());
            Broker broker = steps.undoing(steps.run(
                    "start the broker on " + settings.listen().host() + ":"
                            + settings.listen().port(),
                    () -> Broker.start(settings, files, platform, loops)));
            return new BrokerServer(steps, broker);
        } catch (StartException | RuntimeException e) {
            steps.close();
            throw e;
        }
    }

    /** Where clients find it. */
    public InetSocketAddress address() {
        return address;
    }
}
