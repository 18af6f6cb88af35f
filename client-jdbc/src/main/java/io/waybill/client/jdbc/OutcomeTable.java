/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.TransactionProducer;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The outcomes of local transactions, one row for each message, in the service's own database. For a message id at most one of COMMITTED and
 * ROLLED_BACK ever stands, because the id is the primary key: COMMITTED is inserted by the local transaction itself, ROLLED_BACK by a check that finds
 * nothing. Whoever comes second loses in the database, so database and queue agree whatever the timing (ADR 0018).
 *
 * <ul>
 *   <li>COMMIT is answered only when a row COMMITTED is committed, ROLLBACK only when none ever can be. All else is UNKNOWN, and the next check reads
 *       what stands.
 *   <li>COMMITTED is inserted before the work. A check meanwhile waits for that row, a second at most, and answers UNKNOWN: a slow transaction is not
 *       rolled back under its own feet.
 *   <li>{@link #purge} writes down how far it came. A check for a message from before that time that finds no row answers UNKNOWN, so a removed row is
 *       never taken for one that never was.
 * </ul>
 *
 * <p>Safe for use from any thread. All processes of a producer group must use the same database.
 */
public final class OutcomeTable {
    private static final Logger LOG = LoggerFactory.getLogger(OutcomeTable.class);

    /** The clocks of database, broker and producers may be apart by so much. */
    static final Duration CLOCKS_APART = Duration.ofMinutes(10);

    private static final int LOCK_WAIT_MILLIS = 1_000;

    private static final String COMMITTED = "COMMITTED";
    private static final String ROLLED_BACK = "ROLLED_BACK";
    /** The id of the row whose time says how far the purge came: rows from before may be missing. */
    private static final String PURGED = "waybill.purged";

    private static final String TABLE = "waybill_outcome";
    private static final String TIME = "decided_at_seconds";
    private static final String INSERT = "insert into waybill_outcome (message_id, outcome) values (?, ?)";

    private final Database database;
    private final int lockWaitMillis;

    private OutcomeTable(DataSource dataSource, Dialect dialect, int lockWaitMillis) {
        this.database = new Database(dataSource, dialect);
        this.lockWaitMillis = lockWaitMillis;
    }

    /** The outcome table in this database, whose dialect is asked of the first connection. */
    public static OutcomeTable in(DataSource dataSource) {
        return in(dataSource, null);
    }

    /** The outcome table in a database that is compatible with one of the known ones. */
    public static OutcomeTable in(DataSource dataSource, Dialect dialect) {
        return new OutcomeTable(dataSource, dialect, LOCK_WAIT_MILLIS);
    }

    static OutcomeTable in(DataSource dataSource, int lockWaitMillis) {
        return new OutcomeTable(dataSource, null, lockWaitMillis);
    }

    /** Creates the table if it is not there. {@link Dialect#schema} prints the script for those who may not do that at run time. */
    public void createIfAbsent() throws SQLException {
        database.create(Dialect::outcomeTable);
    }

    /**
     * A transactional producer whose local transactions run here.
     *
     * @param builder its settings; the listener is set here
     */
    public JdbcTransactionProducer producer(TransactionProducer.Builder builder) {
        return new JdbcTransactionProducer(builder, this);
    }

    /**
     * Runs a local transaction on a connection of its own: inserts COMMITTED, does the work, commits. For the {@code execute} of a transaction listener.
     * If COMMITTED stands already, the work of this message has been done and is not done again.
     *
     * @param messageId the id the check will ask by: {@link Message#id()}
     * @return COMMIT or ROLLBACK, as the work asked
     * @throws X what the work threw; it is rolled back
     * @throws RolledBackByCheckException if a check has decided ROLLBACK already; the work was not done
     * @throws LocalTransactionException if it ended otherwise than the work asked, with what is known of it
     */
    public <X extends Exception> Decision execute(String messageId, LocalTransaction<X> work) throws X {
        try (Transaction transaction = begin(messageId)) {
            if (!claim(transaction, messageId)) {
                return Decision.COMMIT;
            }
            Decision asked;
            try {
                asked = work.run(transaction.connection());
            } catch (Throwable e) {
                rollBack(transaction, messageId, e);
                throw e;
            }
            if (asked == Decision.COMMIT) {
                commit(transaction, messageId);
                return Decision.COMMIT;
            }
            rollBack(transaction, messageId, null);
            return Decision.ROLLBACK;
        }
    }

    /**
     * Inserts COMMITTED in a transaction of the application's own, where a framework keeps the connections. Call it first of all in the transaction,
     * before its work. The transaction can go on whatever it answers.
     *
     * @return false if COMMITTED stands already: the work of this message has been done
     * @throws RolledBackByCheckException if a check has decided ROLLBACK already: roll back
     */
    public boolean insertCommitted(Connection connection, String messageId) throws SQLException {
        requireId(messageId);
        if (database.insert(connection, INSERT, messageId, COMMITTED)) {
            return true;
        }
        if (Decision.COMMIT == read(connection, messageId).decision()) {
            return false;
        }
        throw new RolledBackByCheckException(messageId);
    }

    /**
     * Answers a check by what stands; if nothing does, decides ROLLBACK, which keeps the local transaction from committing later. For the
     * {@code check} of a transaction listener, in any process of the group.
     *
     * @return UNKNOWN while the local transaction is under way, or if the row may have been removed by {@link #purge}
     * @throws SQLException if the database cannot be asked; counts as UNKNOWN
     */
    public Decision check(ReceivedMessage message) throws SQLException {
        Instant born = message.bornAt();
        Instant stored = message.delivery().storedAt();
        return check(message.messageId(), born.isBefore(stored) ? born : stored);
    }

    /**
     * Like {@link #check(ReceivedMessage)}, by what another client knows.
     *
     * @param bornAt when the producer made the message, or an earlier time
     */
    public Decision check(String messageId, Instant bornAt) throws SQLException {
        requireId(messageId);
        try (Transaction transaction = database.begin()) {
            Dialect dialect = database.dialect(transaction.connection());
            try {
                transaction.readsCommittedOnly(dialect); // the COMMITTED of a running transaction may still go away
                transaction.limitLockWait(dialect, lockWaitMillis); // some isolation levels lock what they read
                Standing standing = read(transaction.connection(), messageId);
                transaction.rollBack(); // or it would go on seeing what it has seen, and hold what it has locked
                if (standing.decision() != null) {
                    return standing.decision();
                }
                if (bornAt.minus(CLOCKS_APART).getEpochSecond() <= standing.purgedToSeconds()) {
                    LOG.warn(
                            "no outcome of message {}, but it is from before {}, to where rows were removed: decide by hand",
                            messageId,
                            Instant.ofEpochSecond(standing.purgedToSeconds()));
                    return Decision.UNKNOWN;
                }
                transaction.goesOn();
                transaction.limitLockWait(dialect, lockWaitMillis);
                if (database.insert(transaction.connection(), INSERT, messageId, ROLLED_BACK)) {
                    transaction.commit();
                    return Decision.ROLLBACK;
                }
                transaction.rollBack();
                transaction.goesOn();
                transaction.limitLockWait(dialect, lockWaitMillis);
                Decision stands = read(transaction.connection(), messageId).decision();
                return stands == null ? Decision.UNKNOWN : stands;
            } catch (SQLException failure) {
                if (dialect.isContended(failure)) {
                    LOG.debug("the local transaction of message {} is under way", messageId, failure);
                    return Decision.UNKNOWN;
                }
                throw failure;
            }
        }
    }

    /**
     * Removes outcomes that are older than this, by the clock of the database, at most so many. Call it again until it returns less.
     *
     * <p>The age must exceed the time after which a check can still come: the first check and all that follow it, and as long as the broker, or every
     * producer of the group, may be away, because a half message waits for them. If a check comes for a removed row nevertheless, it is answered UNKNOWN
     * for ever, and somebody has to decide by hand.
     *
     * @param olderThan at least an hour
     * @return how many were removed
     */
    public int purge(Duration olderThan, int maxRows) throws SQLException {
        Database.requirePurge(olderThan, maxRows);
        try (Transaction transaction = database.begin()) {
            Connection connection = transaction.connection();
            long to = database.nowSeconds(connection) - olderThan.toSeconds();
            notePurged(connection, to);
            int removed = database.deleteOlder(connection, TABLE, "message_id", TIME, to, maxRows);
            transaction.commit();
            return removed;
        }
    }

    /** In the transaction that removes, so a check sees neither or both. The row is never older than what is removed. */
    private void notePurged(Connection connection, long toSeconds) throws SQLException {
        database.insert(connection, INSERT, PURGED, "PURGED");
        try (PreparedStatement update = connection.prepareStatement(
                "update waybill_outcome set outcome = 'PURGED_TO', decided_at_seconds = ? where message_id = ?"
                        + " and (outcome = 'PURGED' or decided_at_seconds < ?)")) {
            update.setLong(1, toSeconds);
            update.setString(2, PURGED);
            update.setLong(3, toSeconds);
            update.executeUpdate();
        }
    }

    private Transaction begin(String messageId) {
        requireId(messageId);
        try {
            return database.begin();
        } catch (SQLException e) {
            throw new LocalTransactionException(
                    messageId, Decision.ROLLBACK, "did not begin, because there is no connection to the database", e);
        }
    }

    private boolean claim(Transaction transaction, String messageId) {
        try {
            return insertCommitted(transaction.connection(), messageId);
        } catch (SQLException e) {
            throw new LocalTransactionException(
                    messageId,
                    Decision.ROLLBACK,
                    "was rolled back before its work, because its outcome cannot be kept",
                    e);
        }
    }

    private void commit(Transaction transaction, String messageId) {
        boolean kept;
        try {
            // A driver may say yes to the commit of a transaction that the database has rolled back already.
            kept = read(transaction.connection(), messageId).decision() == Decision.COMMIT;
        } catch (SQLException e) {
            rollBack(transaction, messageId, e);
            throw new LocalTransactionException(
                    messageId, Decision.ROLLBACK, "was rolled back, because a statement of its work failed", e);
        }
        if (!kept) {
            rollBack(transaction, messageId, null);
            throw new LocalTransactionException(
                    messageId, Decision.ROLLBACK, "was rolled back: its work ended the transaction itself", null);
        }
        try {
            transaction.commit();
        } catch (SQLException e) {
            if (isRolledBack(e)) {
                throw new LocalTransactionException(
                        messageId, Decision.ROLLBACK, "was rolled back by the database when it was committed", e);
            }
            throw unknown(messageId, e);
        } catch (RuntimeException e) { // of a pool
            throw unknown(messageId, e);
        }
    }

    private boolean isRolledBack(SQLException failure) {
        String state = failure.getSQLState();
        // Conflict, constraint, or failed before; 40003 is "completion unknown".
        return state != null
                && (state.startsWith("23")
                        || state.startsWith("40") && !state.equals("40003")
                        || state.equals("25P02"));
    }

    private static LocalTransactionException unknown(String messageId, Exception cause) {
        return new LocalTransactionException(
                messageId,
                Decision.UNKNOWN,
                "was committed with an unknown outcome; the broker's check reads what stands",
                cause);
    }

    /** Returns if surely nothing of the transaction stands. */
    private void rollBack(Transaction transaction, String messageId, Throwable why) {
        Decision stands;
        try {
            transaction.rollBack();
            transaction.goesOn();
            stands = read(transaction.connection(), messageId).decision();
        } catch (SQLException | RuntimeException e) {
            LocalTransactionException unknown = new LocalTransactionException(
                    messageId,
                    Decision.UNKNOWN,
                    "could not be rolled back; the broker's check reads what stands",
                    why == null ? e : why);
            if (why != null) {
                unknown.addSuppressed(e);
            }
            throw unknown;
        }
        if (stands == Decision.COMMIT) {
            throw new LocalTransactionException(
                    messageId,
                    Decision.COMMIT,
                    "was committed by its own work, which is not its to end, and then failed: what it wrote stands",
                    why);
        }
    }

    /**
     * @param decision COMMIT, ROLLBACK, or null if nothing stands
     * @param purgedToSeconds outcomes from before may have been removed
     */
    private record Standing(Decision decision, long purgedToSeconds) {}

    /** One statement, so that both are of one moment. */
    private static Standing read(Connection connection, String messageId) throws SQLException {
        Decision decision = null;
        long purgedToSeconds = Long.MIN_VALUE;
        try (PreparedStatement query = connection.prepareStatement(
                "select message_id, outcome, decided_at_seconds from waybill_outcome where message_id in (?, ?)")) {
            query.setString(1, messageId);
            query.setString(2, PURGED);
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    if (rows.getString(1).equals(PURGED)) {
                        purgedToSeconds = rows.getLong(3);
                    } else {
                        decision = decisionOf(messageId, rows.getString(2));
                    }
                }
            }
        }
        return new Standing(decision, purgedToSeconds);
    }

    private static Decision decisionOf(String messageId, String outcome) throws SQLException {
        return switch (outcome) {
            case COMMITTED -> Decision.COMMIT;
            case ROLLED_BACK -> Decision.ROLLBACK;
            default ->
                throw new SQLException("the outcome of message " + messageId
                        + " must be COMMITTED or ROLLED_BACK, but is '" + outcome + "'");
        };
    }

    private static void requireId(String messageId) {
        Database.requireText("message id", messageId);
        if (messageId.equals(PURGED)) {
            throw Database.invalid("the message id must not be '" + PURGED + "'", "send it with another id");
        }
    }
}
