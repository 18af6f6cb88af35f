/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.route;

import io.waybill.protocol.frame.Command;
import java.util.concurrent.CompletableFuture;

/** Calls name servers. */
@FunctionalInterface
public interface NameServers {
    /** Sends a request to {@code host:port}; completes with the response, or exceptionally when none came in time. */
    CompletableFuture<Command> call(String address, Command request, long timeoutMillis);
}
