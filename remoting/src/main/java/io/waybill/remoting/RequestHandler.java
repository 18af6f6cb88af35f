/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

/** Decides what a request means. One handler serves all connections of a server or a client. */
@FunctionalInterface
public interface RequestHandler {
    /**
     * Takes one request on the connection's event loop; must not block. The body of the request's command is valid only
     * until this returns. The reply may come later and from any thread. A {@code BadField} thrown from here becomes
     * reply code 29, another {@code BadValue} code 13, anything else code 1, all with a sentence and no stack trace.
     */
    void handle(Request request);
}
