/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The rule that nothing is reachable from other machines by accident: clients are not authenticated yet. */
public final class BindAddressCheck {
    private static final Logger LOG = LoggerFactory.getLogger(BindAddressCheck.class);

    /** What was warned of already: the servers of one process share an address, and one line says it. */
    private static final Set<String> WARNED = ConcurrentHashMap.newKeySet();

    private BindAddressCheck() {}

    /**
     * To be asked before listening. An exposed address that was asked for is written to the log as a warning.
     *
     * @param host the address to listen on
     * @param insecure the operator's word that an exposed address is meant
     * @throws UnknownHostException when the host is not known
     * @throws IllegalArgumentException when other machines reach the address and {@code insecure} is not set
     */
    public static void check(String host, boolean insecure) throws UnknownHostException {
        if (InetAddress.getByName(host).isLoopbackAddress()) {
            return;
        }
        if (!insecure) {
            throw new IllegalArgumentException(
                    "host " + host + " is reachable from other machines, and whoever connects"
                            + " may do everything; listen on 127.0.0.1, or set insecure=true to do it anyway");
        }
        if (WARNED.add(host)) {
            LOG.warn(
                    "insecure=true: listening on {}, and whoever connects from another machine may do everything",
                    host);
        }
    }
}
