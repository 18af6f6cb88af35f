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
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks a consumer what it subscribes to (307) when its pull is ahead of its heartbeats, or when its heartbeat leaves out what this broker has never heard.
 *
 * <p>The stock client raises the version of a subscription at every rebalance and then sends a heartbeat, unless one is just under way: then it
 * sends none, and all its pulls would be refused until the next one, half a minute later. Serving them by the older subscription could skip
 * messages that only the newer one wants.
 *
 * <p>With heartbeats of version 2 it leaves its subscriptions out as long as they are what it told before, also after the broker was started anew, and
 * tells them all only half a minute later.
 *
 * <p>What always holds: one question is open for a group on a connection, however many of its pulls wait for the answer. Thread-safe.
 */
public final class SubscriptionRefresher {
    private static final Logger log = LoggerFactory.getLogger(SubscriptionRefresher.class);
    /** Less than a client waits for the answer to its heartbeat. */
    private static final long TIMEOUT_MILLIS = 2_000;

    private final ClientRegistry members;
    private final Map<AskedGroup, CompletableFuture<Void>> open = new ConcurrentHashMap<>();

    private record AskedGroup(long connectionId, String group) {}

    SubscriptionRefresher(ClientRegistry members) {
        this.members = members;
    }

    /**
     * Asks the group's member on the connection and runs the action once it has answered, refused or let the time pass.
     *
     * @return false when the connection has no member of the group: nobody is asked and the action never runs
     */
    public boolean ask(String group, Connection connection, Runnable then) {
        ClientChannelInfo member = members.memberOn(group, connection);
        if (member == null) {
            return false;
        }
        ask(group, connection, member.clientId(), then, told -> {
            if (told != null) {
                members.refresh(group, connection, told);
            }
        });
        return true;
    }

    /**
     * Asks a client that is not known yet. {@code told} gets what it answered, null if it did not; it is not called when it is being asked already.
     *
     * @param then runs behind {@code told}, in any case once
     */
    void ask(
            String group,
            Connection connection,
            String clientId,
            Runnable then,
            Consumer<List<SubscriptionData>> told) {
        AskedGroup asked = new AskedGroup(connection.id(), group);
        CompletableFuture<Void> answered = new CompletableFuture<>();
        CompletableFuture<Void> earlier = open.putIfAbsent(asked, answered);
        if (earlier != null) {
            earlier.thenRun(then);
            return;
        }
        answered.thenRun(then);
        connection
                .call(
                        Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                                .header(new RunningInfoHeader(group, clientId, false))
                                .build(),
                        TIMEOUT_MILLIS)
                .whenComplete((answer, failure) -> {
                    open.remove(asked);
                    try {
                        told.accept(subscriptionsOf(group, answer));
                    } finally {
                        answered.complete(null);
                    }
                });
    }

    /** Runs the action when a question that is open for the group on the connection is answered; false if there is none. */
    public boolean isAsked(String group, Connection connection, Runnable then) {
        CompletableFuture<Void> answered = open.get(new AskedGroup(connection.id(), group));
        if (answered != null) {
            answered.thenRun(then);
        }
        return answered != null;
    }

    private static List<SubscriptionData> subscriptionsOf(String group, Command answer) {
        if (answer == null || answer.code() != ResponseCode.SUCCESS) {
            return null; // gone, or a client that does not know the question: its next heartbeat will tell
        }
        try {
            List<SubscriptionData> told = new ArrayList<>();
            for (JsonObject one :
                    Json.parse(answer.body()).getArray("subscriptionSet").objects("subscriptionSet")) {
                told.add(SubscriptionData.read(one));
            }
            return told;
        } catch (RuntimeException e) { // a peer's malformed text concerns this answer only
            log.debug("A member of group {} told its subscriptions in a form that cannot be read", group, e);
            return null;
        }
    }
}
