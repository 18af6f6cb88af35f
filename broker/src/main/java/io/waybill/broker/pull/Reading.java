/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.group.TagFilter;
import io.waybill.broker.offset.Offsets;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullReply;
import io.waybill.store.QueueRange;
import io.waybill.store.ReadResult;
import io.waybill.store.Store;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/**
 * Reads for pulls and answers them.
 *
 * <p>What is in memory is read by the calling thread; what is not goes to a few threads of its own, so that a consumer of
 * old messages never holds up an event loop or the thread that confirms. Messages are sent as slices of the log, without
 * a copy. A pull is answered at most once, whoever comes first: its own request, a wake-up, its deadline or a reset.
 */
final class Reading {
    private static final Runnable NOTHING_HELD = () -> {};
    private static final long MASTER = 0;

    /** When nothing was found: wait, or say so. */
    private enum Otherwise {
        PARK,
        STAY_PARKED,
        ANSWER
    }

    private final Store store;
    private final Offsets offsets;
    private final Parked parked;
    private final Executor coldReads;

    Reading(Store store, Offsets offsets, Parked parked, Executor coldReads) {
        this.store = store;
        this.offsets = offsets;
        this.parked = parked;
        this.coldReads = coldReads;
    }

    /** A new pull. When nothing is there yet it waits for {@code holdMillis}; 0 = it does not wait. */
    void start(Pull pull, long holdMillis) {
        if (answerReset(pull)) {
            return;
        }
        pull.deadlineNanos(parked.deadline(holdMillis));
        read(pull, holdMillis > 0 ? Otherwise.PARK : Otherwise.ANSWER);
    }

    /** Something became visible in the queue of a parked pull. */
    void wake(Pull pull) {
        read(pull, Otherwise.STAY_PARKED);
    }

    /** The time of a parked pull is over. */
    void expire(Pull pull) {
        read(pull, Otherwise.ANSWER);
    }

    /** The offset of a parked pull's group was reset. */
    void reset(Pull pull) {
        answerReset(pull);
    }

    private boolean answerReset(Pull pull) {
        long reset = offsets.takeReset(pull.group(), pull.topic(), pull.queueId());
        if (reset < 0) {
            return false;
        }
        synchronized (pull) {
            if (!pull.isAnswered()) {
                QueueRange range = store.range(pull.topic(), pull.queueId());
                answer(pull, Decision.reset(reset), range.minOffset(), range.maxOffset());
            }
        }
        return true;
    }

    private void read(Pull pull, Otherwise otherwise) {
        if (store.isHot(pull.topic(), pull.queueId(), pull.scannedTo())) {
            readNow(pull, otherwise);
            return;
        }
        try {
            coldReads.execute(() -> readNow(pull, otherwise));
        } catch (RejectedExecutionException e) {
            refuse(pull, ResponseCode.SYSTEM_BUSY, "[OVERLOAD] too many reads of old messages are waiting");
        }
    }

    private void readNow(Pull pull, Otherwise otherwise) {
        boolean park;
        synchronized (pull) {
            if (pull.isAnswered()) {
                return;
            }
            try {
                park = readAndAnswer(pull, otherwise);
            } catch (RuntimeException e) {
                refuse(pull, ResponseCode.SYSTEM_ERROR, "the read failed: " + e);
                throw e;
            }
        }
        if (park) {
            parked.park(pull);
        }
    }

    /** Answers, or returns true when the pull is to be parked. */
    private boolean readAndAnswer(Pull pull, Otherwise otherwise) {
        TagFilter filter = pull.filter();
        ReadResult read = store.read(
                pull.topic(),
                pull.queueId(),
                pull.scannedTo(),
                pull.maxCount(),
                pull.maxBytes(),
                filter.isAll() ? null : filter::mayMatch,
                filter.isAll() ? null : filter::matches);
        Decision decision = Decision.of(pull.scannedTo(), read);
        boolean waits = otherwise != Otherwise.ANSWER;
        boolean nothing = decision.isNothingYet()
                || (otherwise == Otherwise.STAY_PARKED && read.status() == ReadResult.Status.NO_MATCH);
        if (waits && nothing) {
            pull.scannedTo(decision.nextOffset());
            return otherwise == Otherwise.PARK;
        }
        if (decision.isNothingYet() && pull.scannedTo() > pull.offset()) {
            // What came while it waited did not match: the client goes on behind it.
            decision = Decision.noMatch(pull.scannedTo());
        }
        if (decision.code() == ResponseCode.SUCCESS) {
            pull.answered();
            parked.remove(pull);
            pull.request().reply(head(pull, decision, read.minOffset(), read.maxOffset()), read.slices(), NOTHING_HELD);
        } else if (decision.code() == ResponseCode.SYSTEM_ERROR) {
            refuse(pull, decision.code(), decision.remark());
        } else {
            answer(pull, decision, read.minOffset(), read.maxOffset());
        }
        return false;
    }

    private void answer(Pull pull, Decision decision, long minOffset, long maxOffset) {
        pull.answered();
        parked.remove(pull);
        pull.request().reply(head(pull, decision, minOffset, maxOffset));
    }

    private void refuse(Pull pull, int code, String text) {
        synchronized (pull) {
            if (!pull.isAnswered()) {
                pull.answered();
                parked.remove(pull);
                pull.request().refuse(code, text);
            }
        }
    }

    private static Command head(Pull pull, Decision decision, long minOffset, long maxOffset) {
        return Command.response(decision.code(), decision.remark())
                .header(new PullReply(
                        MASTER, decision.nextOffset(), minOffset, maxOffset, pull.topicSysFlag(), pull.groupSysFlag()))
                .build();
    }
}
