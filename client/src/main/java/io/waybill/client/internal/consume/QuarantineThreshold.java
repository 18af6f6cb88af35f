/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.Groups;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** After how many failures of a message the key of an ordered group is quarantined. The last known answer counts until the broker gives another. */
final class QuarantineThreshold {
    private static final Logger LOG = LoggerFactory.getLogger(QuarantineThreshold.class);
    /** Of groups that have no quarantine. */
    private static final int NEVER = Integer.MAX_VALUE;

    private final PushSettings settings;
    private final RouteCache routes;
    private final ConsumeApi api;
    private volatile int failures = NEVER;

    QuarantineThreshold(PushSettings settings, RouteCache routes, ConsumeApi api) {
        this.settings = settings;
        this.routes = routes;
        this.api = api;
    }

    int failures() {
        return failures;
    }

    /** Asks a broker, since an operator may have changed it. Blocks. */
    void refresh() {
        try {
            Route route = routes.find(
                            settings.subscriptions().keySet().iterator().next())
                    .join();
            for (String address : routes.masters(route)) {
                String text = api.groupConfig(address, settings.group())
                        .join()
                        .attributes()
                        .get(Groups.QUARANTINE_AFTER);
                failures = text == null || text.isBlank() ? NEVER : Math.max(1, Integer.parseInt(text.strip()));
                return;
            }
        } catch (RuntimeException e) {
            LOG.debug("the quarantine setting of group {} is not known: {}", settings.group(), e.getMessage());
        }
    }
}
