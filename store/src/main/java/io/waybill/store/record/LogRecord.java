/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * One record of the log, typed: made by the writer when it puts the record into a frame, and by the reader of frames in recovery, when views are rebuilt
 * and by tools. A plain stored message is a record by itself ({@link VisibleMessage}); every other one has a header ({@link HeadedRecord}).
 *
 * <p>There is one file for each kind, with all that a kind is: the drawing of its bytes, their number, how they are written and read. The kinds are
 * listed in {@link RecordKind}.
 */
public interface LogRecord {
    /** Where the record stands in the log; of a record with a message, where the message stands. */
    long position();
}
