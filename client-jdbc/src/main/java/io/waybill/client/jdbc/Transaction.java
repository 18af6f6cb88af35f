/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One transaction on a connection of its own. Unless {@link #commit} has returned, nothing in it is committed by this class: switching auto-commit back
 * would commit, so a connection that cannot be rolled back is aborted instead.
 */
final class Transaction implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Transaction.class);

    private final Connection connection;
    private final boolean autoCommitBefore;
    private boolean open = true;
    private boolean broken;
    private Dialect.LockWait lockWait;
    private int isolationBefore = Connection.TRANSACTION_NONE; // none: it is as it was

    private Transaction(Connection connection) throws SQLException {
        this.connection = connection;
        this.autoCommitBefore = connection.getAutoCommit();
        if (autoCommitBefore) {
            connection.setAutoCommit(false);
        }
    }

    static Transaction begin(DataSource dataSource) throws SQLException {
        Connection connection = dataSource.getConnection();
        try {
            return new Transaction(connection);
        } catch (SQLException | RuntimeException e) {
            connection.close();
            throw e;
        }
    }

    Connection connection() {
        return connection;
    }

    /** Before its first statement: reads nothing that another transaction may still roll back. The connection's own level comes back at the end. */
    void readsCommittedOnly(Dialect dialect) throws SQLException {
        int level = dialect.committedLevel();
        if (level != Connection.TRANSACTION_NONE
                && connection.getTransactionIsolation() == Connection.TRANSACTION_READ_UNCOMMITTED) {
            connection.setTransactionIsolation(level);
            isolationBefore = Connection.TRANSACTION_READ_UNCOMMITTED;
        }
    }

    /** For what follows until it is committed or rolled back; what the connection had before comes back at the end. */
    void limitLockWait(Dialect dialect, int millis) throws SQLException {
        if (lockWait == null || dialect.limitsTransaction()) {
            lockWait = dialect.limitLockWait(connection, millis);
        }
    }

    /** Commits; the next statement begins anew. If it throws, the outcome is not known here. */
    void commit() throws SQLException {
        connection.commit();
        open = false;
    }

    /** Rolls back; the next statement begins anew. */
    void rollBack() throws SQLException {
        broken = true;
        connection.rollback();
        broken = false;
        open = false;
    }

    /** Something was done after {@link #commit} or {@link #rollBack}. */
    void goesOn() {
        open = true;
    }

    @Override
    public void close() {
        try {
            if (open && !broken) {
                rollBack();
            }
            if (lockWait != null && !broken) {
                lockWait.restore();
                connection.rollback(); // which may have begun a transaction
            }
            if (isolationBefore != Connection.TRANSACTION_NONE && !broken) {
                connection.setTransactionIsolation(isolationBefore);
            }
            if (autoCommitBefore && !broken) {
                connection.setAutoCommit(true);
            }
        } catch (SQLException | RuntimeException e) {
            broken = true;
            LOG.debug("a connection is given up, because its transaction cannot be ended", e);
        }
        try {
            if (broken) {
                connection.abort(Runnable::run);
            }
            connection.close();
        } catch (SQLException | RuntimeException e) {
            LOG.debug("a connection cannot be closed", e);
        }
    }
}
