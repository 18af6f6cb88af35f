/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.frame.Command;
import io.waybill.remoting.RemotingException.CallFailure;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class OpenCallsTest {
    private final OpenCalls calls = new OpenCalls();

    private PendingCall call(long deadlineNanos) {
        PendingCall call = new PendingCall(Command.request(1).build(), deadlineNanos);
        calls.add(calls.nextOpaque(), call);
        return call;
    }

    @Test
    void whatIsOverIsTakenOutAndTheNextDeadlineTold() {
        // Deadlines are compared by their difference, so that the overflow of the clock is one moment like others.
        long now = Long.MAX_VALUE;
        PendingCall over = call(now);
        PendingCall later = call(now + 20);
        List<PendingCall> expired = new ArrayList<>();
        assertThat(calls.expire(now, now + 50, expired)).isEqualTo(now + 20);
        assertThat(expired).containsExactly(over);
        assertThat(calls.expire(now + 1, now + 10, expired)).isEqualTo(now + 10);
        assertThat(expired).containsExactly(over);
        assertThat(calls.remove(2)).isSameAs(later);
        assertThat(calls.remove(2)).isNull();
        assertThat(calls.size()).isZero();
    }

    @Test
    void theEndFailsAllThatAreOpen() throws Exception {
        PendingCall first = call(10);
        PendingCall second = call(20);
        OpenCalls.fail(calls.removeAll(), CallFailure.CLOSED, "closed");
        assertThat(calls.size()).isZero();
        for (PendingCall each : List.of(first, second)) {
            RemotingException failure = Bench.failure(each.future);
            assertThat(failure.kind()).isEqualTo(CallFailure.CLOSED);
            assertThat(failure.maybeDelivered()).isTrue();
        }
    }
}
