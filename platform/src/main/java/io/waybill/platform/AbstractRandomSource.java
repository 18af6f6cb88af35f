/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

/** Derives every kind of draw from {@link #nextLong()}, so that a seed means the same on every JDK. */
abstract class AbstractRandomSource implements RandomSource {

    @Override
    public int nextInt(int bound) {
        if (bound <= 0) {
            throw new IllegalArgumentException("bound must be positive, was " + bound);
        }
        // High half of a 32 x 32 bit product: the bias of at most bound / 2^32 does not matter here.
        return (int) (((nextLong() >>> 32) * bound) >>> 32);
    }

    @Override
    public double nextDouble() {
        return (nextLong() >>> 11) * 0x1.0p-53;
    }

    @Override
    public void nextBytes(byte[] target) {
        int at = 0;
        while (at < target.length) {
            long bits = nextLong();
            for (int i = 0; i < Long.BYTES && at < target.length; i++, bits >>>= 8) {
                target[at++] = (byte) bits;
            }
        }
    }
}
