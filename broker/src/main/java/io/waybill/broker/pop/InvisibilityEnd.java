/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

/** When an invisibility ends, by {@link PopClock#nowMillis}, unique by number. */
record InvisibilityEnd(long millis, long number) implements Comparable<InvisibilityEnd> {
    @Override
    public int compareTo(InvisibilityEnd other) {
        int byTime = Long.compare(millis, other.millis);
        return byTime != 0 ? byTime : Long.compare(number, other.number);
    }
}
