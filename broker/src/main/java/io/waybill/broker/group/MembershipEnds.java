/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.platform.Duty;
import io.waybill.remoting.Connection;
import io.waybill.remoting.ConnectionListener;
import java.util.concurrent.TimeUnit;

/**
 * Ends memberships for the node, whoever leads: those of a connection that has closed at once, those of clients that are silent for too long from time to
 * time.
 */
public final class MembershipEnds implements ConnectionListener, Duty {
    private static final long SCAN_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final ClientRegistry members;

    public MembershipEnds(ClientRegistry members) {
        this.members = members;
    }

    @Override
    public void closed(Connection connection) {
        members.closed(connection);
    }

    @Override
    public String roleName() {
        return "broker-members";
    }

    @Override
    public long run() {
        members.dropSilent();
        return SCAN_NANOS;
    }
}
