/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol;

/** A sequence of numbers that depends on its seed only (splitmix64). This module knows no platform, so it has its own few lines. */
public final class Seeded {
    private long state;

    public Seeded(long seed) {
        this.state = seed;
    }

    public long nextLong() {
        state += 0x9E3779B97F4A7C15L;
        long z = state;
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    public int nextInt(int bound) {
        return (int) Math.floorMod(nextLong(), (long) bound);
    }
}
