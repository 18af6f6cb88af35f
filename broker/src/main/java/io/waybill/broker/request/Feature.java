/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.platform.Duty;
import io.waybill.remoting.Connection;

/**
 * A part of the broker that a user could name: sending, pulling, the groups.
 *
 * <p>Complete when it is constructed; what it does with the rest of the broker is declared here, and the composition treats all features alike:
 * {@link #routes} and {@link #duties} once, before the first request; {@link #closed} for each connection that ends; {@link #stop} last.
 */
public interface Feature {
    /** A feature that only does something in the background. */
    static Feature background(Duty duty) {
        return new Feature() {
            @Override
            public void duties(BackgroundDuties duties) {
                duties.add(duty);
            }
        };
    }

    /** Declares the requests that this feature answers. */
    default void routes(Routes routes) {}

    /** Declares what runs in the background. */
    default void duties(BackgroundDuties duties) {}

    /** A connection has ended: forgets it. On its event loop; must not block. */
    default void closed(Connection connection) {}

    /** Hands to the store what is not there yet. No request comes any more, and the duties have ended. */
    default void stop() {}
}
