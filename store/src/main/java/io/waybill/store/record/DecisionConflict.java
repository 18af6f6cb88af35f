/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * A decision that came after another one and changed nothing: what it asked for and what is so differ. Says all that people need, because its
 * message may be gone from the log before it.
 *
 * @param position where the record stands in the log; it is kept as long as the log keeps it
 * @param decided what the first decision was
 * @param decidedBy who decided, for people
 * @param late what came too late: COMMIT or ROLLBACK
 * @param fromCheck whether it came as the answer to a check
 * @param by whose it is, for people
 * @param messageId the unique key of the message
 */
public record DecisionConflict(
        long handle,
        long position,
        Decision decided,
        long decidedMillis,
        String decidedBy,
        Decision late,
        boolean fromCheck,
        long atMillis,
        String by,
        String messageId,
        String topic,
        String producerGroup) {}
