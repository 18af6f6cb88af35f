/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Routes;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.remoting.Connection;
import io.waybill.store.Store;
import java.util.concurrent.Executor;
import java.util.function.BiFunction;

/** The requests about transactions: a producer's word, and what operators ask and decide. */
public final class TransactionFeature {
    private final TransactionResolver decisions;
    private final EndTransaction end;
    private final ListTransactions list;
    private final ShowTransaction show;
    private final DecideTransaction decide;
    private final ResumeCheck resume;

    /**
     * @param clientNames who speaks for a group on a connection
     * @param blocking for reading messages that may have to come from the disk
     * @param operator the same for what people ask
     */
    public TransactionFeature(
            Store store,
            Topics topics,
            TransactionSettings settings,
            TransactionChecks checks,
            Clock clock,
            DelayedMessageWriter delays,
            BiFunction<String, Connection, String> clientNames,
            String brokerName,
            Executor blocking,
            Executor operator) {
        decisions = new TransactionResolver(store, clock, delays);
        TransactionLookup lookup = new TransactionLookup(store, decisions, topics);
        end = new EndTransaction(store, decisions, checks, settings, clock, clientNames, blocking);
        list = new ListTransactions(store, clock, brokerName, operator);
        show = new ShowTransaction(store, lookup, clock, operator);
        resume = new ResumeCheck(store, lookup, clock, operator);
        PublishTransaction publish = new PublishTransaction(store, topics, lookup, decisions, clock);
        decide = new DecideTransaction(store, lookup, decisions, resume, publish, clock, operator);
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
