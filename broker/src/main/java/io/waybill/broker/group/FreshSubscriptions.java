/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.RunningInfoHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.remoting.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks a consumer what it subscribes to (307) when its pull is ahead of its heartbeats.
 *
 * <p>The stock client raises the version of a subscription at every rebalance and then sends a heartbeat, unless one is just under way: then it
 * sends none, and all its pulls would be refused until the next one, half a minute later. Serving them by the older subscription could skip
 * messages that only the newer one wants.
 *
 * <p>What always holds: one question is open for a group on a connection, however many of its pulls wait for the answer. Thread-safe.
 */
public final class FreshSubscriptions {
    private static final Logger log = LoggerFactory.getLogger(FreshSubscriptions.class);
    private static final long TIMEOUT_MILLIS = 3_000;

    private final Members members;
    private final Map<Asked, CompletableFuture<Void>> open = new ConcurrentHashMap<>();

    private record Asked(long connectionId, String group) {}

    public FreshSubscriptions(Members members) {
        this.members = members;
    }

    /**
     * Asks the group's member on the connection and runs the action once it has answered, refused or let the time pass.
     *
     * @return false when the connection has no member of the group: nobody is asked and the action never runs
     */
    public boolean ask(String group, Connection connection, Runnable then) {
        Member member = members.memberOn(group, connection);
        if (member == null) {
            return false;
        }
        Asked asked = new Asked(connection.id(), group);
        CompletableFuture<Void> answered = new CompletableFuture<>();
        CompletableFuture<Void> earlier = open.putIfAbsent(asked, answered);
        if (earlier != null) {
            earlier.thenRun(then);
            return true;
        }
        answered.thenRun(then);
        connection
                .call(
                        Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                                .header(new RunningInfoHeader(group, member.clientId(), false))
                                .build(),
                        TIMEOUT_MILLIS)
                .whenComplete((answer, failure) -> {
                    open.remove(asked);
                    apply(group, connection, answer);
                    answered.complete(null);
                });
        return true;
    }

    private void apply(String group, Connection connection, Command answer) {
        if (answer == null || answer.code() != ResponseCode.SUCCESS) {
            return; // gone, or a client that does not know the question: its next heartbeat will tell
        }
        try {
            List<SubscriptionData> told = new ArrayList<>();
            for (JsonObject one :
                    Json.parse(answer.body()).getArray("subscriptionSet").objects("subscriptionSet")) {
                told.add(SubscriptionData.read(one));
            }
            members.refresh(group, connection, told);
        } catch (RuntimeException e) { // a peer's malformed text concerns this answer only
            log.debug("A member of group {} told its subscriptions in a form that cannot be read", group, e);
        }
    }
}
