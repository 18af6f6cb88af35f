/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.server;

import io.waybill.namesrv.NameServer;
import io.waybill.namesrv.NameServerSettings;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.remoting.EventLoops;
import java.net.InetSocketAddress;
import java.nio.file.Path;

/** A name server alone in this process. */
public final class NamesrvServer implements AutoCloseable {
    private final Steps steps;
    private final InetSocketAddress address;

    private NamesrvServer(Steps steps, InetSocketAddress address) {
        this.steps = steps;
        this.address = address;
    }

    /**
     * Starts it; when this returns, it serves.
     *
     * @param port 0 takes a free one
     * @throws StartException saying in one sentence what did not work and in another what to do
     */
    public static NamesrvServer start(String host, int port) throws StartException {
        return start(host, port, false);
    }

    /**
     * Starts it on an address that other machines may reach.
     *
     * @param port 0 takes a free one
     * @param insecure that such an address is meant, although nobody is asked who they are
     * @throws StartException saying in one sentence what did not work and in another what to do
     */
    public static NamesrvServer start(String host, int port, boolean insecure) throws StartException {
        return start(host, port, insecure, null);
    }

    /**
     * Starts it with a directory for its key-value table (the configuration of ordered topics).
     *
     * @param port 0 takes a free one
     * @param insecure that an address which other machines may reach is meant
     * @param data the directory, made if missing; null to keep the table in memory
     * @throws StartException saying in one sentence what did not work and in another what to do
     */
    public static NamesrvServer start(String host, int port, boolean insecure, Path data) throws StartException {
        Steps steps = new Steps();
        try {
            Files files = null;
            if (data != null) {
                Files opened = steps.run("open the data directory " + data, () -> Files.real(data));
                steps.undoing(steps.run("take the data directory " + data, () -> opened.lock("namesrv.lock")));
                files = opened;
            }
            Files kept = files;
            Platform platform = Platform.real();
            steps.undoing(platform.duties());
            EventLoops loops = steps.undoing(EventLoops.shared());
            NameServer namesrv = steps.undoing(steps.run(
                    "start the name server on " + host + ":" + port,
                    () -> NameServer.start(
                            NameServerSettings.on(host, port).withInsecure(insecure), loops, platform, kept)));
            return new NamesrvServer(steps, WaybillServer.reachable(host, namesrv.address()));
        } catch (StartException | RuntimeException e) {
            steps.close();
            throw e;
        }
    }

    /** Where clients and brokers find it. */
    public InetSocketAddress address() {
        return address;
    }

    /** Stops it. Idempotent. */
    @Override
    public void close() {
        steps.close();
    }
}
