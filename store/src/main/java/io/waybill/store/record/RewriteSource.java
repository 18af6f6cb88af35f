/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.function.Predicate;

/** What must be written again before the log below a position may go, as far as it is applied. Any thread but the applier. */
public interface RewriteSource {
    /** Everything that would be lost with the log below a position. It may read much. */
    RewriteSet pendingBefore(long position);

    /** Visits the holders of unique keys whose record stands below a position, until the visitor has enough. */
    void visitUniquesBelow(long position, Predicate<UniqueKeyOwner> visitor);

    /** A copy of the pop state of a key; null if there is none. */
    PopState popState(PopKey key);

    /** As popState, with the record it began with; to be folded on. */
    PopFold popFold(PopKey key);

    /** Committed offset; -1 if there is none. */
    long progress(String group, String topic, int queueId);

    /** The value, or null. */
    byte[] catalog(CatalogKind kind, String name);

    /** Where the last record of the same thing stands; -1 if there is none. */
    long positionOf(StateRecord record);
}
