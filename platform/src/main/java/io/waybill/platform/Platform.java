/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

/** Time, randomness and threads, handed down together. Whoever made it closes {@link #duties()} last. */
public record Platform(Clock clock, RandomSource random, Duties duties) {

    /** The machine itself, with threads of its own. */
    public static Platform real() {
        return new Platform(Clock.system(), RandomSource.system(), Duties.real());
    }
}
