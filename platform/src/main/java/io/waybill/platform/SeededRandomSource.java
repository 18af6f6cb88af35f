/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.util.concurrent.atomic.AtomicLong;

/** SplitMix64: one atomic addition per draw, every 64-bit value once per period. */
final class SeededRandomSource extends AbstractRandomSource {
    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

    private final AtomicLong state;

    SeededRandomSource(long seed) {
        this.state = new AtomicLong(seed);
    }

    @Override
    public long nextLong() {
        long z = state.addAndGet(GOLDEN_GAMMA);
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
