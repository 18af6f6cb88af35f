/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.Decision;
import java.sql.Connection;

/**
 * The service's own work inside a local transaction.
 *
 * @param <X> what it throws
 */
@FunctionalInterface
public interface LocalTransaction<X extends Exception> {
    /**
     * Does the work on the connection, on which a transaction has begun. Leave beginning and ending it, and auto-commit, to the caller. Savepoints are
     * fine.
     *
     * @return COMMIT to commit; anything else, or an exception, to roll back
     */
    Decision run(Connection connection) throws X;
}
