/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.Decision;

/**
 * The local transaction came too late: a check had found nothing and decided ROLLBACK, so the outcome table refused the commit. Nothing of the work is
 * in the database and the message never becomes visible: both agree. What to do: send the business event again as a new message.
 */
public final class RolledBackByCheckException extends LocalTransactionException {
    private static final long serialVersionUID = 1L;

    RolledBackByCheckException(String messageId) {
        super(
                messageId,
                Decision.ROLLBACK,
                "was rolled back, because a check by the broker had decided ROLLBACK before it began. What to do: send a"
                        + " new message, with its local transaction, if the event shall happen after all",
                null);
    }
}
