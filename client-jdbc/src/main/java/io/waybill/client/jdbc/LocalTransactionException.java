/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.Decision;

/**
 * A local transaction did not end as its work asked. {@link #decision()} says what is known: ROLLBACK, nothing of the work is in the database and the
 * message never becomes visible; UNKNOWN, the database was lost in the middle and the broker's check will read what stands; COMMIT, the work ended the
 * transaction itself and failed afterwards, so what it wrote stands and the message becomes visible.
 */
public class LocalTransactionException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String messageId;
    private final Decision decision;

    LocalTransactionException(String messageId, Decision decision, String what, Throwable cause) {
        super("the local transaction of message " + messageId + " " + what, cause);
        this.messageId = messageId;
        this.decision = decision;
    }

    /** The message it belongs to. */
    public String messageId() {
        return messageId;
    }

    /** What is known of its outcome. */
    public Decision decision() {
        return decision;
    }
}
