/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.remoting.Request;
import java.net.InetSocketAddress;

/** Who sent a request, as it is recorded with what was asked. */
public final class RequestOrigin {
    private RequestOrigin() {}

    /** {@code 10.0.0.7:41904}; the host as it is written, never looked up. */
    public static String address(Request request) {
        InetSocketAddress address = request.connection().remoteAddress();
        return address.getHostString() + ":" + address.getPort();
    }
}
