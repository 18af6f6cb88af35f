/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.frame.Command;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PushedFramesTest {
    private final PushedFrames pushed = new PushedFrames();

    private List<Integer> taken() {
        List<Integer> codes = new ArrayList<>();
        for (Outgoing item = pushed.takeAll(); item != null; item = item.next) {
            codes.add(item.outgoing().code());
        }
        return codes;
    }

    private boolean push(int code) {
        return pushed.push(new OnewaySend(Command.request(code).build()));
    }

    @Test
    void onlyThePushOntoTheEmptyStackWakes() {
        assertThat(push(1)).isTrue();
        assertThat(push(2)).isFalse();
        assertThat(taken()).containsExactly(1, 2);
        assertThat(taken()).isEmpty();
        assertThat(push(3)).isTrue();
    }

    @Test
    void framesOfEachThreadAreTakenInItsOrderAndEachOnce() throws InterruptedException {
        int threads = 3;
        int each = 2_000;
        List<Thread> pushers = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            int first = t * each;
            pushers.add(new Thread(() -> {
                for (int i = 0; i < each; i++) {
                    push(first + i);
                }
            }));
        }
        pushers.forEach(Thread::start);
        int[] next = new int[threads];
        int seen = 0;
        while (seen < threads * each) {
            for (int code : taken()) {
                assertThat(code % each).isEqualTo(next[code / each]++);
                seen++;
            }
        }
        for (Thread pusher : pushers) {
            pusher.join();
        }
        assertThat(taken()).isEmpty();
    }
}
