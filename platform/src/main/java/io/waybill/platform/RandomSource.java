/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.security.SecureRandom;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Where randomness comes from. A seeded source gives the same numbers for the same seed on every JDK. Safe from any
 * thread, but only one thread at a time gets a reproducible sequence. Not for secrets, but for {@link #nextSecret}.
 */
public interface RandomSource {

    /** Any of the 2^64 values. */
    long nextLong();

    /**
     * A value in [0, bound).
     *
     * @throws IllegalArgumentException if the bound is not positive
     */
    int nextInt(int bound);

    /** A value in [0, 1). */
    double nextDouble();

    /** Fills the whole array. */
    void nextBytes(byte[] target);

    /** Fills the whole array with bytes that nobody can guess, unless the source is seeded. */
    default void nextSecret(byte[] target) {
        nextBytes(target);
    }

    /** True in the given share of cases: 0 never, 1 always. */
    default boolean happens(double probability) {
        return nextDouble() < probability;
    }

    /** A sequence that depends on the seed alone. */
    static RandomSource seeded(long seed) {
        return new SeededRandomSource(seed);
    }

    /** Unseeded: differs from run to run. */
    static RandomSource system() {
        return new AbstractRandomSource() {
            @Override
            public long nextLong() {
                return ThreadLocalRandom.current().nextLong();
            }

            @Override
            public void nextSecret(byte[] target) {
                new SecureRandom().nextBytes(target);
            }
        };
    }
}
