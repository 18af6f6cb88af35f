/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.lock;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Routes;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.FakeRequest;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.LockBatchReply;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.frame.Command;
import io.waybill.store.Store;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.record.QueueLock;
import io.waybill.store.view.ViewsBackend;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Who is told that he holds a queue when several requests for it wait for the log at the same time. */
class LockGrantsTest {
    private static final MessageQueue ZERO = queue(0);

    private final SimulatedClock clock = new SimulatedClock();
    private final SimulatedDuties duties = new SimulatedDuties(clock);
    private final FakeConnection one = new FakeConnection(1);
    private final FakeConnection two = new FakeConnection(2);
    private final FakeConnection three = new FakeConnection(3);
    private Store store;
    private Routes routes;

    @BeforeEach
    void aStoreThatTakesLittleAtATime() throws StoreException {
        open(StoreSettings.defaults().withSegmentBytes(1 << 20).withMaxWaitingBytes(4096));
    }

    private void open(StoreSettings settings) throws StoreException {
        Platform platform = new Platform(clock, RandomSource.seeded(1), duties);
        store = Store.open(new SimulatedFiles(), platform, settings, ViewsBackend.memory());
        duties.runUntilIdle();
        routes = new Routes(new Lanes(lane -> Runnable::run, clock));
        new QueueLocks(store.locks(), clock, 60_000, "broker-a", queue -> true, (group, on) -> null).routes(routes);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
        duties.close();
    }

    private static MessageQueue queue(int queueId) {
        return new MessageQueue("orders", "broker-a", queueId);
    }

    private FakeRequest begin(int code, FakeConnection connection, String client, Set<MessageQueue> queues) {
        FakeRequest request = new FakeRequest(
                Command.request(code)
                        .body(new LockBatchBody("shipping", client, queues, false).toJson())
                        .build(),
                connection);
        routes.handler().handle(request);
        return request;
    }

    private FakeRequest lock(FakeConnection connection, String client) {
        return begin(RequestCode.LOCK_BATCH_MQ, connection, client, Set.of(ZERO));
    }

    /** More than may wait beside something else: refused at once. */
    private FakeRequest lockTooMany(FakeConnection connection, String client) {
        Set<MessageQueue> queues = new TreeSet<>();
        for (int queueId = 0; queueId < 100; queueId++) {
            queues.add(queue(queueId));
        }
        return begin(RequestCode.LOCK_BATCH_MQ, connection, client, queues);
    }

    private static Set<MessageQueue> granted(FakeRequest answered) {
        return LockBatchReply.parse(answered.reply().body()).lockOKMQSet();
    }

    @Test
    void whoIsToldThatHeHoldsAQueueHoldsItAlthoughASecondTryWasNotRecorded() {
        FakeRequest first = lock(one, "c1");
        FakeRequest second = lockTooMany(one, "c1");
        assertThat(granted(second)).isEmpty();
        duties.runUntilIdle();
        assertThat(granted(first)).containsExactly(ZERO);
        FakeRequest other = lock(two, "c2");
        duties.runUntilIdle();
        assertThat(granted(other)).isEmpty();
    }

    @Test
    void aQueueThatWasGivenBackBeforeItsGrantWasConfirmedIsNotGranted() {
        FakeRequest first = lock(one, "c1");
        begin(RequestCode.UNLOCK_BATCH_MQ, one, "c1", Set.of(ZERO));
        FakeRequest other = lock(two, "c2");
        duties.runUntilIdle();
        assertThat(granted(other)).containsExactly(ZERO);
        assertThat(granted(first)).isEmpty();
    }

    @Test
    void aQueueThatIsGivenBackWhileOthersOfTheRequestAreRecordedIsNotGranted() {
        lock(one, "c1");
        duties.runUntilIdle();
        // It renews the first, and the second waits for the log.
        FakeRequest both = begin(RequestCode.LOCK_BATCH_MQ, one, "c1", Set.of(ZERO, queue(1)));
        begin(RequestCode.UNLOCK_BATCH_MQ, one, "c1", Set.of(ZERO));
        FakeRequest other = lock(two, "c2");
        duties.runUntilIdle();
        assertThat(granted(other)).containsExactly(ZERO);
        assertThat(granted(both)).containsExactly(queue(1));
    }

    @Test
    void ofTwoTriesThatAreRecordedBothAreGranted() {
        FakeRequest first = lock(one, "c1");
        FakeRequest second = lock(one, "c1");
        duties.runUntilIdle();
        assertThat(granted(first)).containsExactly(ZERO);
        assertThat(granted(second)).containsExactly(ZERO);
    }

    @Test
    void moreQueuesThanOneSegmentHasRoomForAreLockedAndGivenBack() throws StoreException {
        store.close();
        open(StoreSettings.defaults().withSegmentBytes(1 << 20));
        String client = "c".repeat(255);
        Set<MessageQueue> queues = new TreeSet<>();
        for (int queueId = 0; queueId < 8_000; queueId++) { // some 300 bytes each
            queues.add(queue(queueId));
        }
        FakeRequest locked = begin(RequestCode.LOCK_BATCH_MQ, one, client, queues);
        assertThat(locked.reply()).isNull();
        duties.runUntilIdle();
        assertThat(granted(locked)).isEqualTo(queues);
        assertThat(store.locks().locksOf("shipping")).hasSize(8_000);

        FakeRequest other = begin(RequestCode.LOCK_BATCH_MQ, two, "c2", queues);
        assertThat(granted(other)).isEmpty();
        begin(RequestCode.UNLOCK_BATCH_MQ, one, client, queues);
        duties.runUntilIdle();
        assertThat(store.locks().locksOf("shipping")).isEmpty();
        FakeRequest again = begin(RequestCode.LOCK_BATCH_MQ, two, "c2", queues);
        duties.runUntilIdle();
        assertThat(granted(again)).isEqualTo(queues);
    }

    /** A restarted broker must not take the second process for the first one that reconnects. */
    @Test
    void sharingThatWasNotRecordedIsRecordedWithTheNextRenewal() {
        lock(one, "c1");
        duties.runUntilIdle();
        assertThat(granted(lock(two, "c1"))).isEmpty();
        begin(RequestCode.LOCK_BATCH_MQ, three, "c3", Set.of(queue(200)));
        lockTooMany(one, "c1");
        duties.runUntilIdle();
        assertThat(store.locks().locksOf("shipping"))
                .filteredOn(lock -> lock.queueId() == 0)
                .singleElement()
                .extracting(QueueLock::isShared)
                .isEqualTo(false);
        FakeRequest renewed = lock(one, "c1");
        duties.runUntilIdle();
        assertThat(granted(renewed)).containsExactly(ZERO);
        assertThat(store.locks().locksOf("shipping"))
                .filteredOn(lock -> lock.queueId() == 0)
                .singleElement()
                .extracting(QueueLock::isShared)
                .isEqualTo(true);
    }
}
