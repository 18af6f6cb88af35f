/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

/** What a group asks for where it has no offset; see {@link StartOffsets}, which decides. */
public enum ConsumeFrom {
    /** The oldest message that is kept. */
    FIRST,
    /** What comes from now on. */
    LAST,
    /** A time; heartbeats do not say which one. */
    TIMESTAMP;

    /**
     * By the name in a heartbeat. A group without members names none: then the oldest message counts, so that nobody
     * takes for consumed what may still be delivered. The names that newer clients deprecate all mean the end.
     *
     * @param name null or empty when no member says it
     */
    public static ConsumeFrom named(String name) {
        if (name == null || name.isEmpty() || name.endsWith("FIRST_OFFSET")) {
            return FIRST;
        }
        return name.endsWith("TIMESTAMP") ? TIMESTAMP : LAST;
    }
}
