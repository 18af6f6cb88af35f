/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.FakeRequest;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.message.BadValue;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

class RoutesTest {
    private final Queue<Runnable> waiting = new ArrayDeque<>();
    private boolean full;
    private final Lanes lanes = new Lanes(
            lane -> work -> {
                if (full) {
                    throw new RejectedExecutionException("full");
                }
                waiting.add(work);
            },
            new SimulatedClock());
    private final Routes routes = new Routes(lanes);

    private FakeRequest begin(int code) {
        FakeRequest request =
                new FakeRequest(Command.request(code).field("queueId", 7).build(), new FakeConnection(1));
        routes.handler().handle(request);
        return request;
    }

    private Command ask(int code) {
        FakeRequest request = begin(code);
        while (!waiting.isEmpty()) {
            waiting.remove().run();
        }
        return request.reply();
    }

    @Test
    void codesFindTheirHandlersHoweverLarge() {
        routes.on(10, Lane.INLINE, r -> Reply.refused(100, "ten"))
                .on(200_050, Lane.INLINE, r -> Reply.refused(101, "pop"))
                .on(30_561, Lane.OPERATOR, r -> Reply.refused(102, "private"));
        assertThat(ask(10).code()).isEqualTo(100);
        assertThat(ask(200_050).code()).isEqualTo(101);
        assertThat(ask(30_561).code()).isEqualTo(102);
        assertThat(routes.codes()).containsExactly(10, 30_561, 200_050);
    }

    @Test
    void anUnknownCodeIs3() {
        assertThat(ask(11).code()).isEqualTo(ResponseCode.REQUEST_CODE_NOT_SUPPORTED);
        assertThat(ask(-5).code()).isEqualTo(ResponseCode.REQUEST_CODE_NOT_SUPPORTED);
    }

    @Test
    void aCodeHasOneHandler() {
        routes.on(10, Lane.INLINE, r -> Reply.success());
        assertThatThrownBy(() -> routes.on(10, Lane.SCAN, r -> Reply.success())).hasMessageContaining("10");
    }

    @Test
    void theHeaderIsReadBeforeTheRequestChangesItsLane() {
        routes.on(10, Lane.OPERATOR, fields -> fields.getInt("queueId", 0), (r, queue) -> Reply.refused(queue, "read"));
        FakeRequest request = begin(10);
        assertThat(request.reply()).isNull();
        waiting.remove().run();
        assertThat(request.reply().code()).isEqualTo(7);

        routes.on(
                11,
                Lane.OPERATOR,
                fields -> {
                    throw new BadField("queueId", "a number", "x");
                },
                (r, none) -> Reply.success());
        assertThat(begin(11).reply().code()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(waiting).isEmpty();
    }

    @Test
    void laterLeavesTheReplyToTheRequest() {
        routes.on(10, Lane.INLINE, r -> Reply.LATER);
        FakeRequest request = begin(10);
        assertThat(request.reply()).isNull();
        request.reply(Command.response(0, "kept").build());
        assertThat(request.reply().remark()).isEqualTo("kept");
    }

    @Test
    void whateverIsThrownIsAnsweredOnEveryLane() {
        int code = 10;
        for (Lane lane : Lane.values()) {
            assertThat(thrown(code++, lane, new BadField("queueId", "a number", "x"))
                            .code())
                    .isEqualTo(ResponseCode.INVALID_PARAMETER);
            assertThat(thrown(code++, lane, new BadValue("body", "small", "large"))
                            .code())
                    .isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
            assertThat(thrown(code++, lane, new RejectedExecutionException("full"))
                            .code())
                    .isEqualTo(ResponseCode.SYSTEM_BUSY);
            Command inside = thrown(code++, lane, new IllegalStateException("NullPointerException at io.waybill"));
            assertThat(inside.code()).isEqualTo(ResponseCode.SYSTEM_ERROR);
            assertThat(inside.remark()).contains("log says why").doesNotContain("Exception");
        }
    }

    @Test
    void theLogLineOfAFailureNamesWhatTheHeaderSays() {
        int code = 10;
        for (Lane lane : Lane.values()) {
            boolean[] asked = {false};
            Object header = new Object() {
                @Override
                public String toString() {
                    asked[0] = true;
                    return "topic orders, queue 3, offset 17";
                }
            };
            routes.on(code, lane, fields -> header, (r, read) -> Reply.success());
            ask(code++);
            assertThat(asked[0]).as("made only for a line").isFalse();
            routes.on(code, lane, fields -> header, (r, read) -> {
                throw new IllegalStateException("of the test");
            });
            ask(code++);
            assertThat(asked[0]).as(lane.name()).isTrue();
        }
    }

    @Test
    void aHeaderThatCannotBeShownDoesNotTakeTheAnswerAway() {
        int code = 10;
        for (Lane lane : Lane.values()) {
            Object header = new Object() {
                @Override
                public String toString() {
                    throw new IllegalStateException("nothing to show");
                }
            };
            routes.on(code, lane, fields -> header, (r, read) -> {
                throw new IllegalStateException("of the test");
            });
            assertThat(ask(code++).code()).as(lane.name()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        }
    }

    @Test
    void whatAPeerWroteDoesNotBeginALineOfTheLog() {
        assertThat(RequestFailures.text("topic orders\n2026-12-01 ERROR forged\u001b[2J"))
                .isEqualTo("topic orders?2026-12-01 ERROR forged?[2J");
        assertThat(RequestFailures.text("x".repeat(500))).isEqualTo("x".repeat(400) + "...");
    }

    private Command thrown(int code, Lane lane, RuntimeException failure) {
        routes.on(code, lane, r -> {
            throw failure;
        });
        return ask(code);
    }

    @Test
    void aFullLaneIs2() {
        routes.on(10, Lane.BLOCKING, r -> Reply.success());
        full = true;
        Command reply = ask(10);
        assertThat(reply.code()).isEqualTo(ResponseCode.SYSTEM_BUSY);
        assertThat(reply.remark()).contains("[OVERLOAD]");
    }
}
