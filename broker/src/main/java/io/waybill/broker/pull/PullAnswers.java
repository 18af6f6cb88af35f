/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.longpoll.Deliveries;
import io.waybill.broker.longpoll.LongPolling;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullReply;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.ReadResult;

/**
 * Answers pulls; by the thread that works on one.
 *
 * <p>What always holds: a pull that is answered waits no more, and what it got is noted before the client can have it.
 */
final class PullAnswers {
    private static final Runnable NOTHING_HELD = () -> {};
    private static final long MASTER = 0;

    private final QueueStore queues;
    private final LongPolling<Pull> held;
    private final Deliveries deliveries;

    PullAnswers(QueueStore queues, LongPolling<Pull> held, Deliveries deliveries) {
        this.queues = queues;
        this.held = held;
        this.deliveries = deliveries;
    }

    /** With what a read came to. */
    void answer(Pull pull, PullResult result, ReadResult read) {
        switch (result.code()) {
            case ResponseCode.SUCCESS -> found(pull, result, read);
            case ResponseCode.SYSTEM_ERROR -> held.refuse(pull, result.code(), result.remark());
            case ResponseCode.PULL_RETRY_IMMEDIATELY -> {
                pull.tracker()
                        .passed(
                                pull.offset(),
                                result.nextOffset(),
                                pull.request().connection());
                answer(pull, result, read.minOffset(), read.maxOffset());
            }
            default -> answer(pull, result, read.minOffset(), read.maxOffset());
        }
    }

    private void found(Pull pull, PullResult result, ReadResult read) {
        held.end(pull);
        deliveries.sent(pull.group(), pull.topic(), read.count(), read.bytes());
        pull.tracker()
                .delivered(pull.offset(), result.nextOffset(), pull.request().connection(), pull.isReplay());
        pull.request().reply(head(pull, result, read.minOffset(), read.maxOffset()), read.slices(), NOTHING_HELD);
    }

    /** Without a read: nothing is noted. */
    void answer(Pull pull, PullResult result) {
        QueueRange range = queues.offsetRange(pull.topic(), pull.queueId());
        answer(pull, result, range.minOffset(), range.maxOffset());
    }

    /**
     * Ends a pull from when its client requested something else; nothing is passed. It cannot be served by what is
     * requested now: stock clients filter once more what they get by what they requested when they asked, and pass the
     * rest.
     */
    void comeAgain(Pull pull) {
        answer(pull, PullResult.noMatch(pull.offset()));
    }

    private void answer(Pull pull, PullResult result, long minOffset, long maxOffset) {
        held.end(pull);
        pull.request().reply(head(pull, result, minOffset, maxOffset));
    }

    private static Command head(Pull pull, PullResult result, long minOffset, long maxOffset) {
        return Command.response(result.code(), result.remark())
                .header(new PullReply(
                        MASTER,
                        result.nextOffset(),
                        minOffset,
                        maxOffset,
                        pull.terms().topic().topicSysFlag(),
                        pull.terms().group().groupSysFlag()))
                .build();
    }
}
