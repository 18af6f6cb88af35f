/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.Stored;
import io.waybill.client.internal.message.InboundMessage;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What was fetched from a queue and is not done yet. */
class ProcessQueueTest {
    private final MessageQueue name = new MessageQueue("t", "b", 0);
    private final ProcessQueue queue = new ProcessQueue(name, 10, false, 3, 1_000_000);
    private final ProcessQueue ordered = new ProcessQueue(name, 10, true, 3, 1_000_000);

    private InboundMessage message(long offset) {
        return new InboundMessage(Stored.message(name, offset, "x"), name, 0);
    }

    @Test
    void progressIsTheSmallestOffsetThatIsNotDone() {
        assertThat(queue.beginPull(1)).isEqualTo(10);
        assertThat(queue.beginPull(1)).isEqualTo(-1);
        InboundMessage first = message(10);
        InboundMessage third = message(12);
        queue.pulled(List.of(first, third), 14, 0);
        assertThat(queue.progress()).isEqualTo(10);
        queue.done(third);
        assertThat(queue.progress()).isEqualTo(10);
        queue.done(first);
        assertThat(queue.progress()).isEqualTo(14);
        assertThat(queue.uncommitted()).isEqualTo(14);
        queue.committed(14);
        assertThat(queue.uncommitted()).isEqualTo(-1);
    }

    @Test
    void filteredMessagesMoveTheProgress() {
        queue.beginPull(1);
        queue.pulled(List.of(), 500, 0);
        assertThat(queue.progress()).isEqualTo(500);
    }

    @Test
    void aFullQueueIsNotPulledUntilThereIsRoom() {
        queue.beginPull(1);
        List<InboundMessage> all = List.of(message(10), message(11), message(12));
        queue.pulled(all, 13, 0);
        assertThat(queue.beginPull(1)).isEqualTo(-1);
        assertThat(queue.done(all.get(0))).isTrue();
        assertThat(queue.beginPull(1)).isEqualTo(13);
        assertThat(queue.done(all.get(1))).isFalse();
    }

    @Test
    void bytesCountToo() {
        ProcessQueue small = new ProcessQueue(name, 0, false, 100, 10);
        small.beginPull(1);
        InboundMessage big = message(0);
        small.pulled(List.of(big), 1, 0);
        assertThat(small.beginPull(1)).isEqualTo(-1);
        assertThat(small.done(big)).isTrue();
        assertThat(small.beginPull(1)).isEqualTo(1);
    }

    @Test
    void onlyOneRunAtATimeAndTheHeadStaysUntilItIsDone() {
        ordered.beginPull(1);
        ordered.pulled(List.of(message(10), message(11)), 12, 0);
        assertThat(ordered.beginRun()).isTrue();
        assertThat(ordered.beginRun()).isFalse();
        assertThat(ordered.resumeRun()).isTrue();
        InboundMessage head = ordered.head();
        assertThat(head.attempt()).isEqualTo(1);
        assertThat(ordered.suspendRun(head)).isTrue();
        assertThat(ordered.resumeRun()).isTrue();
        assertThat(ordered.head().offset()).isEqualTo(10);
        assertThat(ordered.head().attempt()).isEqualTo(2);
        ordered.headDone(ordered.head());
        assertThat(ordered.head().offset()).isEqualTo(11);
        assertThat(ordered.progress()).isEqualTo(11);
        assertThat(ordered.endRun()).isNull();
    }

    @Test
    void whatMustWaitForARunRunsAtItsEnd() {
        ordered.beginPull(1);
        ordered.pulled(List.of(message(10)), 11, 0);
        ordered.beginRun();
        ordered.resumeRun();
        List<String> events = new ArrayList<>();
        assertThat(ordered.drop(() -> events.add("idle"))).isTrue();
        assertThat(ordered.drop(() -> events.add("never"))).isFalse();
        assertThat(events).isEmpty();
        assertThat(ordered.head()).isNull();
        ordered.endRun().run();
        assertThat(events).containsExactly("idle");
        assertThat(ordered.beginRun()).isFalse();
        assertThat(ordered.beginPull(1)).isEqualTo(-1);
    }

    @Test
    void aStepThatWaitsForAThreadDoesNotHoldTheQueue() {
        ordered.beginPull(1);
        ordered.pulled(List.of(message(10), message(11)), 12, 0);
        assertThat(ordered.beginRun()).isTrue();
        List<String> events = new ArrayList<>();
        ordered.drop(() -> events.add("idle"));
        assertThat(events).containsExactly("idle");
        assertThat(ordered.resumeRun()).isFalse();
    }

    @Test
    void norDoesTheStepAfterOneThatIsDone() {
        ordered.beginPull(1);
        ordered.pulled(List.of(message(10), message(11)), 12, 0);
        ordered.beginRun();
        ordered.resumeRun();
        ordered.headDone(ordered.head());
        assertThat(ordered.rest()).isTrue();
        List<String> events = new ArrayList<>();
        ordered.drop(() -> events.add("idle"));
        assertThat(events).containsExactly("idle");
        assertThat(ordered.resumeRun()).isFalse();
        assertThat(ordered.progress()).isEqualTo(11);
    }

    @Test
    void aSuspendedRunEndsWhenTheQueueIsGivenUp() {
        ordered.beginPull(1);
        ordered.pulled(List.of(message(10)), 11, 0);
        ordered.beginRun();
        ordered.resumeRun();
        ordered.suspendRun(ordered.head());
        List<String> events = new ArrayList<>();
        ordered.drop(() -> events.add("idle"));
        assertThat(events).containsExactly("idle");
        assertThat(ordered.resumeRun()).isFalse();
        assertThat(ordered.endRun()).isNull();
    }

    @Test
    void aQueueThatWasGivenUpIsNotSuspended() {
        ordered.beginPull(1);
        ordered.pulled(List.of(message(10)), 11, 0);
        ordered.beginRun();
        ordered.resumeRun();
        InboundMessage head = ordered.head();
        List<String> events = new ArrayList<>();
        ordered.drop(() -> events.add("idle"));
        assertThat(ordered.suspendRun(head)).isFalse();
        ordered.endRun().run();
        assertThat(events).containsExactly("idle");
    }

    @Test
    void aDroppedQueueThatRestsIsIdleAtOnce() {
        List<String> events = new ArrayList<>();
        queue.drop(() -> events.add("idle"));
        assertThat(events).containsExactly("idle");
        assertThat(queue.pulled(List.of(message(10)), 11, 0)).isFalse();
    }
}
