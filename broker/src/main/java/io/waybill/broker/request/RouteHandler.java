/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.remoting.Request;

/** Decides what a request of one code means. One handler serves all requests of it. */
@FunctionalInterface
public interface RouteHandler<H> {
    /**
     * Runs on the lane of the route. What it throws is answered by {@link RequestFailures}; it catches only what it has a better answer for.
     *
     * @param header what the route's reader read
     */
    Reply handle(Request request, H header);
}
