/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Routes;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.header.ResumeCheckHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.remoting.Connection;
import java.util.function.BiFunction;

/** The requests about transactions: a producer's decision, and what operators ask and decide. */
public final class TransactionFeature implements Feature {
    private final TransactionResolver decisions;
    private final EndTransaction end;
    private final ListTransactions list;
    private final ShowTransaction show;
    private final DecideTransaction decide;
    private final ResumeCheck resume;

    /** @param clientNames who speaks for a group on a connection */
    public TransactionFeature(
            TransactionStoreAccess store,
            Topics topics,
            TransactionChecks checks,
            Clock clock,
            TransactionResolver decisions,
            BiFunction<String, Connection, String> clientNames,
            String brokerName,
            Lanes lanes) {
        this.decisions = decisions;
        TransactionLookup lookup =
                new TransactionLookup(store.messages(), store.transactions(), store.conflicts(), decisions, topics);
        end = new EndTransaction(store, decisions, checks, clock, clientNames, lanes);
        list = new ListTransactions(store.messages(), store.transactions(), store.conflicts(), clock, brokerName);
        show = new ShowTransaction(store.transactions(), store.conflicts(), lookup, clock);
        resume = new ResumeCheck(store.messages(), store.settlements(), lookup, clock);
        PublishTransaction publish =
                new PublishTransaction(store.conflicts(), store.clock(), topics, lookup, decisions, clock);
        decide = new DecideTransaction(
                store.messages(), store.transactions(), lookup, decisions, resume, publish, clock);
    }

    /** The handle of a transaction rolled back lately, by unique key; null when none is known. */
    public Long rolledBack(String uniqueKey) {
        return decisions.rolledBack(uniqueKey);
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.END_TRANSACTION, Lane.INLINE, EndTransactionHeader::read, end)
                .onCommand(RequestCode.LIST_TRANSACTIONS, Lane.OPERATOR, ListTransactions.Query::read, list)
                .onCommand(RequestCode.SHOW_TRANSACTION, Lane.OPERATOR, TransactionFeature::json, show)
                .onCommand(RequestCode.DECIDE_TRANSACTION, Lane.OPERATOR, TransactionFeature::json, decide)
                .on(RequestCode.RESUME_CHECK_HALF_MESSAGE, Lane.OPERATOR, ResumeCheckHeader::read, resume);
    }

    private static JsonObject json(Command command) {
        return Json.parse(command.body());
    }
}
