/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

/** Time, chance and threads, handed down together. Whoever made it closes {@link #duties()} last. */
public record Platform(Clock clock, Chance chance, Duties duties) {

    /** The machine itself, with threads of its own. */
    public static Platform real() {
        return new Platform(Clock.system(), Chance.system(), Duties.real());
    }
}
