/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.Conflict;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.longpoll.RateLimits;
import io.waybill.broker.longpoll.ReadRules;
import io.waybill.broker.offset.Offsets;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.LogRateLimiter;
import io.waybill.store.QueueStore;
import io.waybill.store.ReadResult;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings to its group what lies in queues that no member reads, because clients share out the queues of a topic among
 * all members of their group, also among those that do not subscribe to it.
 *
 * <p>What always holds: a queue is touched only when it has messages that some member wants, nobody has pulled it for a
 * while, and all members that subscribe to its topic have just said, twice in a row, that it is not theirs; one that
 * does not answer is taken for its owner. A group with a member that pulls by hand is left alone. Then its messages go
 * to the members that want them through the group's retry topic ({@link SubscriptionConflictRouter}), and the group's
 * offset passes them once they are stored there. At most {@value #MOST_ROUNDS} times {@value #ROUND_MESSAGES} messages
 * of a queue in one go, within the group's rate; one queue at a time.
 */
final class UnreadQueues implements Duty {
    private static final Logger log = LoggerFactory.getLogger(UnreadQueues.class);

    private static final long SCAN_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final int CONFIRMATIONS = 2;

    static final int ROUND_MESSAGES = 32;
    private static final int ROUND_BYTES = 256 << 10;
    static final int MOST_ROUNDS = 64;

    private final QueueStore queues;
    private final Offsets offsets;
    private final UnreadQueueScan scan;
    private final SubscriptionConflictRouter conflictRouter;
    private final ReadRules rules;
    private final RateLimits limits;
    private final String brokerName;
    private final Executor blocking;
    private final LogRateLimiter lines;

    /**
     * How often in a row all members said that a queue is not theirs. Of the duty's runs and what follows from them,
     * one at a time.
     */
    private Map<GroupQueue, Integer> confirmed = new HashMap<>();

    /** Whether what an earlier run began still goes on. */
    private volatile boolean isBusy;

    UnreadQueues(
            QueueStore queues,
            Offsets offsets,
            UnreadQueueScan scan,
            SubscriptionConflictRouter conflictRouter,
            ReadRules rules,
            String brokerName,
            Clock clock,
            Executor blocking) {
        this.queues = queues;
        this.offsets = offsets;
        this.scan = scan;
        this.conflictRouter = conflictRouter;
        this.rules = rules;
        this.limits = rules.limits();
        this.brokerName = brokerName;
        this.blocking = blocking;
        this.lines = new LogRateLimiter(clock);
    }

    @Override
    public String roleName() {
        return "broker-unread-queues";
    }

    @Override
    public long run() {
        if (!isBusy) {
            List<GroupQueue> suspects = scan.suspects();
            if (suspects.isEmpty()) {
                confirmed = new HashMap<>();
            } else {
                isBusy = true;
                QueueOwnerSurvey survey = new QueueOwnerSurvey(suspects, brokerName, rules);
                survey.whenDone(() -> later(() -> confirm(survey.unowned())));
            }
        }
        return SCAN_NANOS;
    }

    private void confirm(List<GroupQueue> unowned) {
        Map<GroupQueue, Integer> now = new HashMap<>();
        Deque<GroupQueue> unread = new ArrayDeque<>();
        for (GroupQueue queue : unowned) {
            int times = confirmed.getOrDefault(queue, 0) + 1;
            now.put(queue, times);
            if (times >= CONFIRMATIONS) {
                unread.add(queue);
            }
            if (times == CONFIRMATIONS) {
                say(queue);
            }
        }
        confirmed = now;
        next(unread);
    }

    private void say(GroupQueue queue) {
        ConsumerGroup group = rules.members(queue.group());
        String more = group == null ? null : lines.admit();
        if (more != null) {
            log.warn(
                    "Queue {} of topic {} is read by no member of group {}: {}. Clients share it out to one that does not subscribe to the topic;"
                            + " its messages go to the others through the retry topic{}",
                    queue.queueId(),
                    queue.topic(),
                    queue.group(),
                    group.conflicts().stream()
                            .filter(conflict -> conflict.topic().equals(queue.topic()))
                            .findFirst()
                            .map(Conflict::toString)
                            .orElse("all want the same"),
                    more);
        }
    }

    // ---- carrying on

    private void next(Deque<GroupQueue> unread) {
        GroupQueue queue = unread.poll();
        if (queue == null) {
            isBusy = false;
        } else {
            round(queue, MOST_ROUNDS, unread);
        }
    }

    private void round(GroupQueue queue, int left, Deque<GroupQueue> unread) {
        later(() -> {
            ConsumerGroup group = rules.members(queue.group());
            Filter wanted = group == null ? null : group.union(queue.topic());
            long start = wanted == null || left == 0 ? -1 : scan.nextOffset(group, queue);
            int granted = start < 0 ? 0 : (int) limits.take(queue.group(), ROUND_MESSAGES);
            if (granted == 0) {
                next(unread);
                return;
            }
            ReadResult read = queues.readQueue(
                    queue.topic(),
                    queue.queueId(),
                    start,
                    granted,
                    ROUND_BYTES,
                    wanted.isAll() ? null : wanted::mayMatch,
                    wanted.isAll() ? null : wanted::matches);
            limits.giveBack(queue.group(), granted - read.count());
            if (read.status() == ReadResult.Status.FOUND) {
                // Behind the store's own completion, whose failure nobody here would see.
                conflictRouter.carry(
                        group,
                        queue.topic(),
                        queue.queueId(),
                        messages(read),
                        refusal -> later(() -> {
                            boolean goesOn = refusal == null && passed(queue, start, read.nextOffset());
                            round(queue, goesOn ? left - 1 : 0, unread);
                        }));
            } else if (read.status() == ReadResult.Status.NO_MATCH) {
                round(queue, passed(queue, start, read.nextOffset()) ? left - 1 : 0, unread);
            } else {
                next(unread);
            }
        });
    }

    /** The group is behind these; not when somebody else moved its offset meanwhile. */
    private boolean passed(GroupQueue queue, long from, long to) {
        long committed = offsets.query(queue.group(), queue.topic(), queue.queueId());
        return (committed < 0 || committed <= from)
                && offsets.commit(queue.group(), queue.topic(), queue.queueId(), to);
    }

    private static List<ByteBuffer> messages(ReadResult read) {
        List<ByteBuffer> messages = new ArrayList<>(read.count());
        for (ByteBuffer slice : read.slices()) {
            for (int at = slice.position(); at < slice.limit(); ) {
                ByteBuffer message = slice.slice(at, StoredMessage.totalSize(slice, at));
                at += message.limit();
                messages.add(message);
            }
        }
        return messages;
    }

    /** In a thread that may wait for the disk; whatever happens, the next run of the duty can begin anew. */
    private void later(Runnable work) {
        try {
            blocking.execute(() -> {
                try {
                    work.run();
                } catch (RuntimeException | Error e) {
                    isBusy = false;
                    log.error("Messages of a queue that nobody reads could not be brought to their group", e);
                }
            });
        } catch (RejectedExecutionException e) {
            isBusy = false; // too much to read just now
        }
    }
}
