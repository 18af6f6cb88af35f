/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Routes;
import io.waybill.broker.route.NameServers;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.body.RequestMode;
import io.waybill.store.CatalogStore;

/** The feature "assignment": which groups pop which topics, and which queues are whose. */
public final class AssignmentFeature implements Feature {
    private final RequestModes modes;
    private final Assignments assignments;

    public AssignmentFeature(
            CatalogStore catalog,
            Topics topics,
            ClientRegistry members,
            NameServers nameServers,
            BrokerSettings settings,
            Clock clock) {
        modes = new RequestModes(
                catalog, members, settings.reads().popByDefault() ? RequestMode.POP : RequestMode.PULL);
        assignments = new Assignments(members, new TopicQueues(topics, nameServers, settings, clock), modes);
    }

    @Override
    public void routes(Routes routes) {
        modes.routes(routes);
        assignments.routes(routes);
    }
}
