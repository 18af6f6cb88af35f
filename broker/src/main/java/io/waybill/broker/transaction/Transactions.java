/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Routes;
import io.waybill.broker.timer.DelayedSends;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.remoting.Connection;
import io.waybill.store.Store;
import java.util.concurrent.Executor;
import java.util.function.BiFunction;

/** The requests about transactions: a producer's word, and what operators ask and decide. */
public final class Transactions {
    private final FinalDecisions decisions;
    private final EndTransaction end;
    private final ListTransactions list;
    private final ShowTransaction show;
    private final DecideTransaction decide;
    private final ResumeCheck resume;

    /**
     * @param clientNames who speaks for a group on a connection
     * @param blocking for reading messages that may have to come from the disk
     */
    public Transactions(
            Store store,
            Topics topics,
            TransactionSettings settings,
            TransactionChecks checks,
            Clock clock,
            DelayedSends delays,
            BiFunction<String, Connection, String> clientNames,
            String brokerName,
            Executor blocking) {
        decisions = new FinalDecisions(store, clock, delays);
        TransactionLookup lookup = new TransactionLookup(store, decisions, topics);
        end = new EndTransaction(store, decisions, checks, settings, clock, clientNames, blocking);
        list = new ListTransactions(store, clock, brokerName, blocking);
        show = new ShowTransaction(store, lookup, clock, blocking);
        resume = new ResumeCheck(store, lookup, clock, blocking);
        PublishTransaction publish = new PublishTransaction(store, topics, lookup, decisions, clock);
        decide = new DecideTransaction(store, lookup, decisions, resume, publish, clock, blocking);
    }

    /** The handle of a transaction rolled back lately, by unique key; null when none is known. */
    public Long rolledBack(String uniqueKey) {
        return decisions.rolledBack(uniqueKey);
    }

    public void register(Routes routes) {
        routes.on(RequestCode.END_TRANSACTION, end)
                .on(RequestCode.LIST_TRANSACTIONS, list)
                .on(RequestCode.SHOW_TRANSACTION, show)
                .on(RequestCode.DECIDE_TRANSACTION, decide)
                .on(RequestCode.RESUME_CHECK_HALF_MESSAGE, resume);
    }
}
