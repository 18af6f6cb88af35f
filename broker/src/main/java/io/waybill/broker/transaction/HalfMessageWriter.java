/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.settings.TransactionSettings;
import io.waybill.broker.timer.Delay;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.SysFlag;
import io.waybill.remoting.Connection;
import io.waybill.store.TransactionStore;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Stored;
import io.waybill.store.record.UniqueKey;
import java.util.Map;

/**
 * Half messages of transactional sends: stored once, invisible, in the form in which a commit will show them.
 *
 * <p>The stored half keeps topic, queue, body and properties, also TRAN_MSG: by it clients of RocketMQ tell a consumer the transaction's id. The
 * transaction bits of sysFlag are clear, and {@code __transactionId__} is the unique key. Who sent it is kept with it, as far as that is known. Its first check is due {@code transactionTimeoutMillis} after now by the broker's clock, or after
 * CHECK_IMMUNITY_TIME_IN_SECONDS when that is a number of 0 or more.
 *
 * <p>Thread-safe, without state of its own.
 */
public final class HalfMessageWriter {
    /** A longer client id is not kept with a half message: its checks go to any member of the group. */
    static final int MAX_SENDER_LENGTH = 255;

    private static final long LONGEST_IMMUNITY_SECONDS = 10L * 365 * 86_400;

    private final TransactionStore store;
    private final Clock clock;
    private final TransactionSettings settings;
    private final DelayedMessageWriter delays;
    private final ClientRegistry members;
    private final TransactionChecks checks;

    public HalfMessageWriter(
            TransactionStore store,
            Clock clock,
            TransactionSettings settings,
            DelayedMessageWriter delays,
            ClientRegistry members,
            TransactionChecks checks) {
        this.store = store;
        this.clock = clock;
        this.settings = settings;
        this.delays = delays;
        this.members = members;
        this.checks = checks;
    }

    /**
     * The half in the form in which it is stored. The draft has all but sysFlag and properties; UNIQ_KEY is among the properties, which are changed.
     *
     * @param producerGroup the group of the request, used when the message itself names none
     * @param connection on which it came
     * @throws BadValue when the properties leave no room for what the broker adds, or ask for a delay that cannot be kept
     */
    public HalfMessage prepare(
            MessageDraft.Builder draft,
            int sysFlag,
            String producerGroup,
            Map<String, String> properties,
            Connection connection) {
        properties.putIfAbsent(MessageProperties.PGROUP, producerGroup);
        String group = properties.get(MessageProperties.PGROUP);
        if (Names.checkGroup(group) != null) { // it is asked for by heartbeats and written to logs
            throw new BadValue("property PGROUP", "the name of a producer group", group);
        }
        properties.put(MessageProperties.TRANSACTION_ID, properties.get(MessageProperties.UNIQ_KEY));
        long nowMillis = clock.wallMillis();
        Delay delay = delays.delayOf(properties, nowMillis);
        if (delay.isRefused()) { // a delay starts at the commit, but then it would be too late to refuse it
            throw new BadValue("properties", "a delay that can be kept", delay.remark());
        }
        byte[] encoded =
                CopyRoom.encodeFirst(properties); // there is also room then for what a commit, a check or a delay adds
        MessageDraft half = draft.sysFlag(SysFlag.withTransactionState(sysFlag, SysFlag.TRANSACTION_NONE))
                .properties(encoded)
                .build();
        String clientId = members.producers().clientId(group, connection);
        boolean isKnown = clientId != null && clientId.length() <= MAX_SENDER_LENGTH;
        String immunity = properties.get(MessageProperties.CHECK_IMMUNITY_TIME_IN_SECONDS);
        long firstCheckMillis = nowMillis + firstCheckDelayMillis(immunity, settings.timeoutMillis());
        return new HalfMessage(half, group, isKnown ? clientId : "", firstCheckMillis, isKnown ? null : connection);
    }

    /**
     * Stores the half.
     *
     * @param unique null, or the key of which it must be the only message
     * @param done gets a {@code Stored} whose position is the handle of the transaction: the id of the reply is made from it
     */
    public void append(HalfMessage half, UniqueKey unique, Completion done) {
        Connection from = half.unnamedSender();
        Completion stored = from == null
                ? done
                : outcome -> {
                    if (outcome instanceof Stored known) {
                        checks.sentOn(known.position(), from);
                    }
                    done.done(outcome);
                };
        store.appendHalf(unique, half.message(), half.producerGroup(), half.sender(), half.firstCheckMillis(), stored);
    }

    /** Age of the half at its first check; the property is null when absent. */
    static long firstCheckDelayMillis(String immunitySeconds, long timeoutMillis) {
        if (immunitySeconds == null) {
            return timeoutMillis;
        }
        try {
            long seconds = Long.parseLong(immunitySeconds.trim());
            return seconds < 0 ? timeoutMillis : Math.min(seconds, LONGEST_IMMUNITY_SECONDS) * 1000;
        } catch (NumberFormatException e) {
            return timeoutMillis;
        }
    }
}
