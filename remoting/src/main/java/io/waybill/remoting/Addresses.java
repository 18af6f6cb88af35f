/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;

/** Text and value forms of {@code host:port}; an IPv6 address stands in brackets. Never asks a name service. */
final class Addresses {
    private Addresses() {}

    /** Resolved when the host is a literal address, else unresolved. */
    static InetSocketAddress parse(String text) {
        int colon = text.lastIndexOf(':');
        if (colon <= 0) {
            throw new IllegalArgumentException("address '" + text + "' is not host:port");
        }
        String host = text.substring(0, colon);
        int port;
        try {
            port = Integer.parseInt(text.substring(colon + 1));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("address '" + text + "' has no port number", e);
        }
        if (port < 1 || port > 65_535) {
            throw new IllegalArgumentException("address '" + text + "' has a port outside 1 to 65535");
        }
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        }
        byte[] literal = NetUtil.createByteArrayFromIpAddressString(host);
        if (literal == null) {
            return InetSocketAddress.createUnresolved(host, port);
        }
        try {
            return new InetSocketAddress(InetAddress.getByAddress(literal), port);
        } catch (UnknownHostException impossible) {
            throw new IllegalArgumentException("address '" + text + "' is not host:port", impossible);
        }
    }

    static String text(InetSocketAddress address) {
        if (address.isUnresolved()) {
            return address.getHostString() + ":" + address.getPort();
        }
        return NetUtil.toSocketAddressString(address);
    }
}
