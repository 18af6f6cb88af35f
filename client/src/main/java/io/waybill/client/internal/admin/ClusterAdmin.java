/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.Admin;
import io.waybill.client.DeadLetters;
import io.waybill.client.DelayedMessages;
import io.waybill.client.GroupOffsets;
import io.waybill.client.Groups;
import io.waybill.client.Messages;
import io.waybill.client.Quarantine;
import io.waybill.client.Topics;
import io.waybill.client.TransactionInspector;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.KvTable;
import io.waybill.protocol.frame.Command;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The way to the parts of the admin face; each asks one question per server and reads one answer. Nothing is cached. */
public final class ClusterAdmin implements Admin {
    private final AdminConnections cluster;

    public ClusterAdmin(ClientRuntime runtime, BrokerConnections connections, RouteCache routes) {
        this.cluster = new AdminConnections(runtime, connections, routes);
    }

    @Override
    public Topics topics() {
        return new AdminTopics(cluster);
    }

    @Override
    public Groups groups() {
        return new AdminGroups(cluster);
    }

    @Override
    public GroupOffsets offsets() {
        return new AdminOffsets(cluster);
    }

    @Override
    public Messages messages() {
        return new AdminMessages(cluster);
    }

    @Override
    public TransactionInspector transactions() {
        return new AdminTransactions(cluster);
    }

    @Override
    public DeadLetters deadLetters() {
        return new AdminDeadLetters(cluster);
    }

    @Override
    public DelayedMessages delayed() {
        return new AdminDelayed(cluster);
    }

    @Override
    public Quarantine quarantine() {
        return new AdminQuarantine(cluster);
    }

    @Override
    public Map<String, String> brokers() {
        return cluster.brokers();
    }

    @Override
    public List<BrokerStatus> status() {
        List<BrokerStatus> all = new ArrayList<>();
        cluster.living().forEach((broker, address) -> {
            try {
                ByteBuffer body = cluster.broker(
                        address,
                        Command.request(RequestCode.GET_BROKER_RUNTIME_INFO),
                        "asking " + broker + " how it is");
                all.add(new BrokerStatus(
                        broker, address, Map.copyOf(KvTable.parse(body).table()), null));
            } catch (WaybillException e) {
                all.add(new BrokerStatus(broker, address, Map.of(), e.getMessage()));
            }
        });
        return List.copyOf(all);
    }
}
