/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * One step of a {@link PopState}. The first step of a state is a Start or a Reset; without one the others say nothing.
 */
public sealed interface PopChange {
    /** The state begins: all below the base is finished. Nothing if there is a state. */
    record Start(long base) implements PopChange {
        public Start {
            notNegative("base", base);
        }
    }

    /** A message is handed out, or its invisibility is renewed. Nothing for a finished message. */
    record Take(long offset, long popTimeMillis, long deadlineMillis, int deliveries) implements PopChange {
        public Take {
            notNegative("offset", offset);
        }
    }

    /** Messages from an offset (inclusive) to another (exclusive) are finished, whether handed out or not. */
    record Ack(long from, long to) implements PopChange {
        public Ack {
            notNegative("from", from);
            if (to < from) {
                throw new IllegalArgumentException(
                        "an acknowledgement ends at " + to + ", before it begins at " + from);
            }
        }
    }

    /** Everything is forgotten; all below the base is finished. Makes a state if there is none. */
    record Reset(long base) implements PopChange {
        public Reset {
            notNegative("base", base);
        }
    }

    /** The state is no more. */
    record Drop() implements PopChange {}

    private static void notNegative(String name, long value) {
        if (value < 0) {
            throw new IllegalArgumentException("the " + name + " of a pop change must not be negative, seen " + value);
        }
    }
}
