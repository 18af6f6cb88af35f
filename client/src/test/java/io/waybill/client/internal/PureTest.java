/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.Message;
import io.waybill.client.MessageQueue;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.SendPolicy.Trouble;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What decides without a socket. */
class PureTest {
    private static List<MessageQueue> queues(int count) {
        return IntStream.range(0, count)
                .mapToObj(id -> new MessageQueue("t", "b", id))
                .toList();
    }

    @Nested
    class AllocationByAverage {
        @ParameterizedTest
        @CsvSource({"8,1", "8,2", "8,3", "8,8", "8,9", "0,2", "1,3", "7,5"})
        void membersGetEveryQueueOnceAndSharesDifferByOneAtMost(int queueCount, int memberCount) {
            List<String> members =
                    IntStream.range(0, memberCount).mapToObj(i -> "client-" + i).toList();
            List<MessageQueue> all = new ArrayList<>();
            Set<Integer> sizes = new TreeSet<>();
            for (String member : members) {
                List<MessageQueue> share = Allocation.average(queues(queueCount), members, member);
                all.addAll(share);
                sizes.add(share.size());
            }
            assertThat(all).containsExactlyInAnyOrderElementsOf(queues(queueCount));
            assertThat(new TreeSet<>(sizes).last() - new TreeSet<>(sizes).first())
                    .isLessThanOrEqualTo(1);
        }

        @Test
        void longerSharesComeFirstAsInTheStockClient() {
            List<String> members = List.of("a", "b", "c");
            assertThat(Allocation.average(queues(8), members, "a"))
                    .extracting(MessageQueue::id)
                    .containsExactly(0, 1, 2);
            assertThat(Allocation.average(queues(8), members, "b"))
                    .extracting(MessageQueue::id)
                    .containsExactly(3, 4, 5);
            assertThat(Allocation.average(queues(8), members, "c"))
                    .extracting(MessageQueue::id)
                    .containsExactly(6, 7);
        }

        @Test
        void theOrderInWhichMembersAndQueuesAreListedDoesNotMatter() {
            List<MessageQueue> mixed =
                    List.of(queues(3).get(2), queues(3).get(0), queues(3).get(1));
            assertThat(Allocation.average(mixed, List.of("b", "a"), "a"))
                    .isEqualTo(Allocation.average(queues(3), List.of("a", "b"), "a"));
        }

        @Test
        void aStrangerGetsNothing() {
            assertThat(Allocation.average(queues(3), List.of("a"), "z")).isEmpty();
        }
    }

    @Nested
    class ChoosingQueues {
        @Test
        void equalKeysGiveEqualQueuesAndManyKeysUseAllQueues() {
            Map<MessageQueue, Integer> counts = new HashMap<>();
            for (int i = 0; i < 1_000; i++) {
                MessageQueue queue = QueueChoice.byKey(queues(8), "order-" + i);
                assertThat(QueueChoice.byKey(queues(8), "order-" + i)).isEqualTo(queue);
                counts.merge(queue, 1, Integer::sum);
            }
            assertThat(counts).hasSize(8);
            assertThat(counts.values()).allMatch(count -> count > 50);
        }

        @Test
        void aKeyWhoseHashIsTheSmallestNumberHasAQueueToo() {
            String key = "polygenelubricants"; // hashCode() is Integer.MIN_VALUE
            assertThat(key.hashCode()).isEqualTo(Integer.MIN_VALUE);
            assertThat(QueueChoice.byKey(queues(7), key)).isIn(queues(7));
        }

        @Test
        void turnsGoRoundAndSurviveOverflow() {
            assertThat(IntStream.of(0, 1, 2, 3, Integer.MAX_VALUE, Integer.MIN_VALUE, -1)
                            .mapToObj(turn ->
                                    QueueChoice.inTurn(queues(3), turn, null).id()))
                    .containsExactly(0, 1, 2, 0, 1, 1, 2);
        }

        @Test
        void theBrokerThatFailedIsAvoidedIfThereIsAnother() {
            List<MessageQueue> two = List.of(
                    new MessageQueue("t", "a", 0), new MessageQueue("t", "a", 1), new MessageQueue("t", "b", 0));
            for (int turn = 0; turn < 3; turn++) {
                assertThat(QueueChoice.inTurn(two, turn, "a").broker()).isEqualTo("b");
            }
            assertThat(QueueChoice.inTurn(queues(2), 1, "b").id()).isEqualTo(1);
        }
    }

    @Nested
    class DecidingOnRetries {
        private final SendPolicy policy = new SendPolicy(10, true);

        @Test
        void pausesGrowAndStopGrowing() {
            assertThat(IntStream.rangeClosed(1, 6)
                            .mapToObj(attempt -> policy.pauseBeforeNext(Trouble.BROKEN, attempt, 10_000, false)))
                    .containsExactly(50L, 100L, 200L, 400L, 500L, 500L);
        }

        @Test
        void anotherBrokerIsTriedAtOnce() {
            assertThat(policy.pauseBeforeNext(Trouble.TIMEOUT, 1, 1_000, true)).isZero();
            assertThat(policy.pauseBeforeNext(Trouble.TIMEOUT, 2, 1_000, true)).isEqualTo(100);
        }

        @Test
        void nothingIsTriedBeyondTheTimeOrTheNumberOfAttempts() {
            assertThat(policy.pauseBeforeNext(Trouble.BROKEN, 1, 50, false)).isEqualTo(SendPolicy.NO);
            assertThat(policy.pauseBeforeNext(Trouble.BROKEN, 1, 0, true)).isEqualTo(SendPolicy.NO);
            assertThat(policy.pauseBeforeNext(Trouble.BROKEN, 10, 9_000, false)).isEqualTo(SendPolicy.NO);
            assertThat(new SendPolicy(1, true).pauseBeforeNext(Trouble.NOT_SENT, 1, 9_000, false))
                    .isEqualTo(SendPolicy.NO);
        }

        @Test
        void aRefusalForGoodIsNotRepeated() {
            assertThat(policy.pauseBeforeNext(Trouble.FINAL, 1, 9_000, true)).isEqualTo(SendPolicy.NO);
        }

        @Test
        void aDenialIsTriedOnceMoreAndAnErrorTwice() {
            assertThat(policy.pauseBeforeNext(Trouble.DENIED, 1, 9_000, false)).isEqualTo(50);
            assertThat(policy.pauseBeforeNext(Trouble.DENIED, 2, 9_000, false)).isEqualTo(SendPolicy.NO);
            assertThat(policy.pauseBeforeNext(Trouble.ERROR, 2, 9_000, false)).isEqualTo(100);
            assertThat(policy.pauseBeforeNext(Trouble.ERROR, 3, 9_000, false)).isEqualTo(SendPolicy.NO);
        }

        @Test
        void aHalfMessageThatMayBeStoredIsNotRepeated() {
            SendPolicy half = new SendPolicy(10, false);
            assertThat(half.pauseBeforeNext(Trouble.TIMEOUT, 1, 9_000, false)).isEqualTo(SendPolicy.NO);
            assertThat(half.pauseBeforeNext(Trouble.BROKEN, 1, 9_000, false)).isEqualTo(SendPolicy.NO);
            assertThat(half.pauseBeforeNext(Trouble.ERROR, 1, 9_000, false)).isEqualTo(SendPolicy.NO);
            assertThat(half.pauseBeforeNext(Trouble.NOT_SENT, 1, 9_000, false)).isEqualTo(50);
            assertThat(half.pauseBeforeNext(Trouble.BUSY, 1, 9_000, false)).isEqualTo(50);
        }

        @ParameterizedTest
        @CsvSource({
            "1,ERROR",
            "2,BUSY",
            "14,BUSY",
            "215,BUSY",
            "1500,BUSY",
            "16,DENIED",
            "17,DENIED",
            "204,DENIED",
            "205,DENIED",
            "13,FINAL",
            "29,FINAL",
            "604,FINAL",
            "26,FINAL"
        })
        void codesAreSortedAsTheReferenceSays(int code, Trouble trouble) {
            assertThat(Trouble.ofCode(code)).isEqualTo(trouble);
        }

        @Test
        void anAttemptTakesAllTheTimeUnlessThereIsAnotherBroker() {
            assertThat(SendPolicy.attemptMillis(3_000, false)).isEqualTo(3_000);
            assertThat(SendPolicy.attemptMillis(3_000, true)).isEqualTo(1_500);
            assertThat(SendPolicy.attemptMillis(600, true)).isEqualTo(500);
            assertThat(SendPolicy.attemptMillis(300, true)).isEqualTo(300);
        }
    }

    @Nested
    class Tags {
        @Test
        void expressionsAreTrimmedAndCompareTheText() {
            WireFilter filter = WireFilter.parse(" CREATED || PAID||");
            assertThat(filter.matches("CREATED")).isTrue();
            assertThat(filter.matches("PAID")).isTrue();
            assertThat(filter.matches("SHIPPED")).isFalse();
            assertThat(filter.matches(null)).isFalse();
            // "Aa" and "BB" have the same hash
            assertThat(WireFilter.parse("Aa").matches("BB")).isFalse();
        }

        @ParameterizedTest
        @ValueSource(strings = {"*", "", "  ", " * "})
        void aStarOrNothingIsEverything(String expression) {
            assertThat(WireFilter.parse(expression)).isEqualTo(WireFilter.ALL);
            assertThat(WireFilter.parse(expression).matches(null)).isTrue();
        }

        @ParameterizedTest
        @ValueSource(strings = {"||", "A || *"})
        void nonsenseIsRefused(String expression) {
            assertThatThrownBy(() -> WireFilter.parse(expression)).isInstanceOf(WaybillException.class);
        }
    }

    @Nested
    class CompressedBodies {
        private final byte[] body = "abc".repeat(3_000).getBytes(StandardCharsets.UTF_8);

        @Test
        void zlibGoesThereAndBack() {
            byte[] deflated = Bodies.deflate(body);
            assertThat(deflated.length).isLessThan(body.length / 10);
            assertThat(Bodies.inflate(deflated, 0x301, "m")).isEqualTo(body);
            assertThat(Bodies.inflate(deflated, 0x1, "m")).isEqualTo(body);
            assertThat(Bodies.inflate(body, 0x300, "m")).isSameAs(body);
        }

        @Test
        void lz4AndZstandardAreReadIfTheirLibrariesAreThere() throws java.io.IOException {
            java.io.ByteArrayOutputStream lz4 = new java.io.ByteArrayOutputStream();
            try (java.io.OutputStream out = new net.jpountz.lz4.LZ4FrameOutputStream(lz4)) {
                out.write(body);
            }
            assertThat(Bodies.inflate(lz4.toByteArray(), 0x101, "m")).isEqualTo(body);
            assertThat(Bodies.inflate(com.github.luben.zstd.Zstd.compress(body), 0x201, "m"))
                    .isEqualTo(body);
        }

        @Test
        void aSmallBodyMustNotFillTheMemory() {
            byte[] bomb = com.github.luben.zstd.Zstd.compress(new byte[(64 << 20) + 1]);
            assertThatThrownBy(() -> Bodies.inflate(bomb, 0x201, "m")).hasMessageContaining("more than");
        }

        @Test
        void whatDoesNotGetShorterIsSentAsItIs() {
            byte[] noise = new byte[5_000];
            io.waybill.platform.RandomSource.seeded(1).nextBytes(noise);
            assertThat(Bodies.deflate(noise)).isNull();
        }

        @ParameterizedTest
        @CsvSource({"257,LZ4", "513,Zstandard", "1025,unknown"})
        void whatCannotBeReadIsNamed(int sysFlag, String name) {
            assertThatThrownBy(() -> Bodies.inflate(body, sysFlag, "message 7"))
                    .isInstanceOf(WaybillException.class)
                    .hasMessageContaining(name)
                    .hasMessageContaining("message 7")
                    .hasMessageContaining("What to do");
        }

        @Test
        void damageIsReported() {
            byte[] deflated = Bodies.deflate(body);
            byte[] cut = java.util.Arrays.copyOf(deflated, deflated.length / 2);
            assertThatThrownBy(() -> Bodies.inflate(cut, 0x301, "m")).hasMessageContaining("damaged");
            byte[] wrong = deflated.clone();
            wrong[0] = 0;
            assertThatThrownBy(() -> Bodies.inflate(wrong, 0x301, "m")).hasMessageContaining("damaged");
        }
    }

    @Nested
    class Messages {
        @Test
        void idsDifferAndMakeIdentity() {
            Set<String> ids = new HashSet<>();
            for (int i = 0; i < 10_000; i++) {
                ids.add(UniqueIds.next());
            }
            assertThat(ids).hasSize(10_000);
            Message one = Message.to("t").body("x").build();
            assertThat(one)
                    .isEqualTo(one)
                    .isNotEqualTo(Message.to("t").body("x").build());
        }

        @Test
        void theFirstMistakeIsNamedBeforeAnythingIsSent() {
            refused(Message.to("a topic").body("x"), "topic");
            refused(Message.to("t"), "body");
            refused(Message.to("t").body(""), "body");
            refused(Message.to("t").body(new byte[(4 << 20) + 1]), "4194305 bytes");
            refused(Message.to("t").body("x").tag("A|B"), "tag");
            refused(Message.to("t").body("x").key("two words"), "key");
            refused(Message.to("t").body("x").property("TAGS", "a"), "property name");
            refused(Message.to("t").body("x").property("a", ""), "property a");
            refused(Message.to("t").body("x").property("a", "x\u0001y"), "property a");
            refused(Message.to("t").body("x").queue(new MessageQueue("other", "b", 0)), "queue");
            refused(Message.to("t").body("x").deliverAfter(Duration.ofMillis(-1)), "deliverAfter");
            refused(
                    Message.to("t")
                            .body("x")
                            .deliverAfter(Duration.ofSeconds(1))
                            .deliverAt(Instant.EPOCH),
                    "delay");
        }

        private void refused(Message.Builder builder, String field) {
            assertThatThrownBy(builder::build)
                    .isInstanceOfSatisfying(WaybillException.class, e -> {
                        assertThat(e.kind()).isEqualTo(WaybillException.Kind.INVALID);
                        assertThat(e.mayHaveBeenStored()).isFalse();
                    })
                    .hasMessageContaining(field);
        }

        @Test
        void nameServersAreChecked() {
            assertThat(ClientCore.addresses("a:1; b:2,c:3")).containsExactly("a:1", "b:2", "c:3");
            for (String wrong : new String[] {null, "", "host", "host:", ":1", "host:x", "host:0", "host:70000"}) {
                assertThatThrownBy(() -> ClientCore.addresses(wrong)).isInstanceOf(WaybillException.class);
            }
        }
    }

    @Nested
    class OneAssignedQueue {
        private final MessageQueue name = new MessageQueue("t", "b", 0);
        private final AssignedQueue queue = new AssignedQueue(name, 10, 3, 1_000_000);

        private InboundMessage message(long offset) {
            return new InboundMessage(Stored.message(name, offset, "x"), name, 0);
        }

        @Test
        void progressIsTheSmallestOffsetThatIsNotDone() {
            assertThat(queue.beginPull()).isEqualTo(10);
            assertThat(queue.beginPull()).isEqualTo(-1);
            InboundMessage first = message(10);
            InboundMessage third = message(12);
            queue.pulled(List.of(first, third), 14, 0, false);
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
            queue.beginPull();
            queue.pulled(List.of(), 500, 0, false);
            assertThat(queue.progress()).isEqualTo(500);
        }

        @Test
        void aFullQueueIsNotPulledUntilThereIsRoom() {
            queue.beginPull();
            List<InboundMessage> all = List.of(message(10), message(11), message(12));
            queue.pulled(all, 13, 0, false);
            assertThat(queue.beginPull()).isEqualTo(-1);
            assertThat(queue.done(all.get(0))).isTrue();
            assertThat(queue.beginPull()).isEqualTo(13);
            assertThat(queue.done(all.get(1))).isFalse();
        }

        @Test
        void bytesCountToo() {
            AssignedQueue small = new AssignedQueue(name, 0, 100, 10);
            small.beginPull();
            InboundMessage big = message(0);
            small.pulled(List.of(big), 1, 0, false);
            assertThat(small.beginPull()).isEqualTo(-1);
            assertThat(small.done(big)).isTrue();
            assertThat(small.beginPull()).isEqualTo(1);
        }

        @Test
        void onlyOneRunAtATimeAndTheHeadStaysUntilItIsDone() {
            queue.beginPull();
            queue.pulled(List.of(message(10), message(11)), 12, 0, true);
            assertThat(queue.beginRun()).isTrue();
            assertThat(queue.beginRun()).isFalse();
            InboundMessage head = queue.head();
            assertThat(head.attempt()).isEqualTo(1);
            queue.headAgain(head);
            assertThat(queue.head().offset()).isEqualTo(10);
            assertThat(queue.head().attempt()).isEqualTo(2);
            queue.headDone(queue.head());
            assertThat(queue.head().offset()).isEqualTo(11);
            assertThat(queue.progress()).isEqualTo(11);
            assertThat(queue.endRun()).isNull();
        }

        @Test
        void whatMustWaitForARunRunsAtItsEnd() {
            queue.beginPull();
            queue.pulled(List.of(message(10)), 11, 0, true);
            queue.beginRun();
            List<String> events = new ArrayList<>();
            assertThat(queue.drop(() -> events.add("idle"))).isTrue();
            assertThat(queue.drop(() -> events.add("never"))).isFalse();
            assertThat(events).isEmpty();
            assertThat(queue.head()).isNull();
            queue.endRun().run();
            assertThat(events).containsExactly("idle");
            assertThat(queue.beginRun()).isFalse();
            assertThat(queue.beginPull()).isEqualTo(-1);
        }

        @Test
        void aDroppedQueueThatRestsIsIdleAtOnce() {
            List<String> events = new ArrayList<>();
            queue.drop(() -> events.add("idle"));
            assertThat(events).containsExactly("idle");
            assertThat(queue.pulled(List.of(message(10)), 11, 0, false)).isFalse();
        }
    }
}
