/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.broker.settings.TransactionSettings;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Connection;
import io.waybill.remoting.LogRateLimiter;
import io.waybill.remoting.Request;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PublishRecord;
import java.nio.ByteBuffer;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.BiFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * END_TRANSACTION (37): the producer's word on a half message, with or without an answer.
 *
 * <p>The half is found by the position its send was answered with, and must belong to the producer group and carry the unique key that the
 * request names, so that an id from another life of the store cannot end a foreign transaction. The first decision wins: the same word again
 * is answered with success, another word with 604 and what was decided; where service and queue disagree then, that is recorded before the answer. A half that names its own CHECK_IMMUNITY_TIME_IN_SECONDS is decided by an
 * answer to a check once that time is over: a word that nobody asked for is 604 then.
 */
final class EndTransaction implements RouteHandler<EndTransactionHeader> {
    private static final Logger LOG = LoggerFactory.getLogger(EndTransaction.class);

    static final int UNKNOWN = 0;
    static final int COMMIT = 8;
    static final int ROLLBACK = 12;

    /** A half within this distance of the log's end is read from memory, so its end needs no other thread. */
    private static final long RECENT_BYTES = 16 << 20;

    private final TransactionStoreAccess store;
    private final TransactionResolver decisions;
    private final TransactionChecks checks;
    private final CheckAnswers answers;
    private final TransactionSettings settings;
    private final Clock clock;
    private final BiFunction<String, Connection, String> clientNames;
    private final Lanes lanes;
    private final LogRateLimiter refusals;

    EndTransaction(
            TransactionStoreAccess store,
            TransactionResolver decisions,
            TransactionChecks checks,
            Clock clock,
            BiFunction<String, Connection, String> clientNames,
            Lanes lanes) {
        this.store = store;
        this.decisions = decisions;
        this.checks = checks;
        this.answers = checks.answers();
        this.settings = checks.settings();
        this.clock = clock;
        this.clientNames = clientNames;
        this.lanes = lanes;
        this.refusals = new LogRateLimiter(clock);
    }

    @Override
    public Reply handle(Request request, EndTransactionHeader header) {
        String illegal = Names.checkGroup(header.producerGroup());
        if (illegal != null) {
            return Reply.refused(ResponseCode.INVALID_PARAMETER, "producer " + illegal);
        }
        switch (header.commitOrRollback()) {
            case UNKNOWN -> {
                if (header.fromTransactionCheck()) {
                    String client = clientNames.apply(header.producerGroup(), request.connection());
                    answers.answered(
                            header.commitLogOffset(), header.producerGroup(), idsOf(header), client, "UNKNOWN");
                }
                reply(request, "the producer does not know yet: nothing is decided by this");
            }
            case COMMIT, ROLLBACK -> {
                if (store.status().positions().confirmed() - header.commitLogOffset() < RECENT_BYTES) {
                    end(request, header);
                } else {
                    lanes.run(Lane.RETURN, request, () -> {
                        end(request, header);
                        return Reply.LATER;
                    });
                }
            }
            default -> {
                return Reply.refused(
                        ResponseCode.INVALID_PARAMETER,
                        "commitOrRollback: must be 8 (commit), 12 (rollback) or 0 (unknown), but was "
                                + header.commitOrRollback());
            }
        }
        return Reply.LATER;
    }

    private void end(Request request, EndTransactionHeader header) {
        long handle = header.commitLogOffset();
        Decision wanted = header.commitOrRollback() == COMMIT ? Decision.COMMIT : Decision.ROLLBACK;
        PendingHalf half = store.transactions().openHalf(handle);
        ByteBuffer stored = half == null ? null : store.messages().readPending(handle);
        if (stored == null) {
            answerDecided(request, header, wanted, store.transactions().decisionOf(handle));
            return;
        }
        String refusal = refusal(half.producerGroup(), stored, header);
        if (refusal != null) {
            warn("refused the end of transaction {}: {}{}", handle, refusal);
            request.refuse(ResponseCode.SYSTEM_ERROR, refusal);
            return;
        }
        String late = header.fromTransactionCheck() ? null : pastImmunity(half, stored);
        if (late != null) {
            warn("refused the end of transaction {}: {}{}", handle, late);
            request.refuse(ResponseCode.ILLEGAL_OPERATION, late);
            return;
        }
        String by = nameOf(request, header);
        checks.decided(handle);
        Completion done = outcome -> answer(request, header, wanted, outcome);
        if (wanted == Decision.COMMIT) {
            decisions.commit(half, stored, header.fromTransactionCheck(), by, done);
        } else {
            decisions.rollback(half, stored, header.fromTransactionCheck(), by, done);
        }
    }

    private String nameOf(Request request, EndTransactionHeader header) {
        return DecisionText.cut("producer group " + header.producerGroup() + ", client "
                + clientNames.apply(header.producerGroup(), request.connection()));
    }

    /** Null, or why this request may not end this half. */
    private static String refusal(String producerGroup, ByteBuffer stored, EndTransactionHeader header) {
        if (!header.producerGroup().equals(producerGroup)) {
            return "the half message belongs to producer group " + producerGroup + ", the request names "
                    + header.producerGroup();
        }
        String uniqueKey = StoredMessage.property(stored, 0, MessageProperties.UNIQ_KEY);
        Set<String> named = idsOf(header);
        if (!named.isEmpty() && !named.contains(uniqueKey)) {
            return "the half message at this position is " + uniqueKey + ", the request names " + named;
        }
        return null;
    }

    /** Null, or why only the answer to a check may end this half now. By the broker's clock, like the checks themselves. */
    private String pastImmunity(PendingHalf half, ByteBuffer stored) {
        String immunity = StoredMessage.property(stored, 0, MessageProperties.CHECK_IMMUNITY_TIME_IN_SECONDS);
        if (immunity == null) {
            return null;
        }
        long immuneMillis = HalfMessageWriter.firstCheckDelayMillis(immunity, settings.timeoutMillis());
        long ageMillis = clock.wallMillis() - half.storeTimeMillis();
        return ageMillis <= immuneMillis
                ? null
                : "the half message is " + ageMillis + " ms old and asked for checks after " + immuneMillis
                        + " ms: only the answer to a check ends it now";
    }

    private void warn(String format, Object first, Object second) {
        String more = refusals.admit();
        if (more != null) {
            LOG.warn(format, first, second, more);
        }
    }

    private static Set<String> idsOf(EndTransactionHeader header) {
        Set<String> named = new LinkedHashSet<>();
        addIfPresent(named, header.transactionId());
        addIfPresent(named, header.msgId());
        return named;
    }

    private static void addIfPresent(Set<String> named, String id) {
        if (id != null && !id.isEmpty()) {
            named.add(id);
        }
    }

    private void answer(Request request, EndTransactionHeader header, Decision wanted, Outcome outcome) {
        long handle = header.commitLogOffset();
        if (outcome instanceof Refused refused) {
            DecisionRecord prior = refused.prior() instanceof DecisionRecord first
                    ? first
                    : store.transactions().decisionOf(handle);
            answerDecided(request, header, wanted, prior);
        } else {
            int code = Outcomes.code(outcome);
            if (code == ResponseCode.SUCCESS) {
                reply(request, null);
            } else {
                warn("transaction {} was not ended: {}{}", handle, Outcomes.text(outcome));
                request.refuse(code, Outcomes.text(outcome));
            }
        }
    }

    private void answerDecided(Request request, EndTransactionHeader header, Decision wanted, DecisionRecord prior) {
        long handle = header.commitLogOffset();
        if (prior == null) {
            request.refuse(ResponseCode.SYSTEM_ERROR, "there is no half message at position " + handle);
        } else if (prior.outcome() == wanted) {
            reply(request, DecisionText.sentence(prior));
        } else if (wanted == Decision.ROLLBACK && prior.outcome() == Decision.EXHAUSTED) {
            // Nobody gets the message: nothing disagrees.
            request.refuse(ResponseCode.ILLEGAL_OPERATION, DecisionText.sentence(prior));
        } else {
            PublishRecord published =
                    wanted == Decision.COMMIT ? store.conflicts().publicationOf(handle) : null;
            if (published != null) {
                reply(request, DecisionText.sentence(published));
            } else {
                lanes.run(Lane.RETURN, request, () -> {
                    conflict(request, header, wanted, prior);
                    return Reply.LATER;
                });
            }
        }
    }

    /** Service and queue disagree. The record stands before the answer; of what cannot be proved to be this transaction none is made. */
    private void conflict(Request request, EndTransactionHeader header, Decision wanted, DecisionRecord prior) {
        String sentence = DecisionText.sentence(prior);
        Command.Builder refusal = Command.response(ResponseCode.ILLEGAL_OPERATION, sentence);
        try {
            ByteBuffer message = messageOf(prior);
            String group = message == null ? null : StoredMessage.property(message, 0, MessageProperties.PGROUP);
            if (message == null || refusal(group, message, header) != null) {
                warn("a late word on transaction {} changes nothing: {}{}", prior.handle(), sentence);
                request.reply(refusal.build());
                return;
            }
            refusal.field("decided", DecisionText.state(prior.outcome()))
                    .field("decidedTimestamp", prior.atMillis())
                    .field("decidedBy", prior.by());
            String realTopic = StoredMessage.property(message, 0, MessageProperties.REAL_TOPIC);
            String uniqueKey = StoredMessage.property(message, 0, MessageProperties.UNIQ_KEY);
            DecisionConflict conflict = new DecisionConflict(
                    prior.handle(),
                    0,
                    prior.outcome(),
                    prior.atMillis(),
                    prior.by(),
                    wanted,
                    header.fromTransactionCheck(),
                    0,
                    nameOf(request, header),
                    uniqueKey == null ? "" : DecisionText.cut(uniqueKey),
                    realTopic == null ? StoredMessage.topic(message, 0) : realTopic,
                    group);
            warn("{} of a transaction came too late, see waybill tx list --conflicts: {}{}", wanted, sentence);
            store.conflicts().recordConflict(conflict, outcome -> {
                if (outcome instanceof Failed failed) {
                    LOG.error("a conflict about transaction {} was not recorded: {}", prior.handle(), failed.text());
                }
                request.reply(refusal.build());
            });
        } catch (RuntimeException e) {
            LOG.error("a conflict about transaction {} was not recorded", prior.handle(), e);
            request.reply(refusal.build());
        }
    }

    /** What is left of a decided transaction's message; null for nothing. */
    private ByteBuffer messageOf(DecisionRecord decision) {
        long handle = decision.handle();
        ByteBuffer message = decision.outcome() == Decision.ROLLBACK
                ? store.conflicts().readRolledBack(handle)
                : store.transactions().readDecided(handle);
        return message == null ? store.messages().readUnverified(handle) : message;
    }

    private static void reply(Request request, String remark) {
        request.reply(Command.response(ResponseCode.SUCCESS, remark).build());
    }
}
