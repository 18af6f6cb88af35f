/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.ConsumeResult;
import io.waybill.client.MessageHandler;
import io.waybill.client.ReceivedMessage;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import javax.sql.DataSource;

/**
 * Gives each message its effect in the service's database once. The note that a group has processed a message and what the handler wrote are one
 * transaction: both stand or neither. A message that comes again (a retry, a redelivery after a crash, a reset of the group, a re-driven dead letter, a
 * second stored copy of one send) finds the note and is done without its handler.
 *
 * <p>The group is a name under which once is once, by default the consumer group. A replay into a side group that uses the same name leaves out what
 * the group has processed; with a name of its own it has its effect again.
 *
 * <p>If two members have the same message at once, the second waits in the database for the end of the first. Safe for use from any thread.
 */
public final class ProcessOnce {
    private static final String TABLE = "waybill_processed";
    private static final String INSERT = "insert into waybill_processed (consumer_group, message_id) values (?, ?)";

    private final Database database;
    private final String group;

    private ProcessOnce(DataSource dataSource, Dialect dialect, String group) {
        this.database = new Database(dataSource, dialect);
        this.group = Database.requireText("group", group);
    }

    /** Once for this group, kept in this database, whose dialect is asked of the first connection. */
    public static ProcessOnce in(DataSource dataSource, String group) {
        return in(dataSource, null, group);
    }

    /** Once for this group, kept in a database that is compatible with one of the known ones. */
    public static ProcessOnce in(DataSource dataSource, Dialect dialect, String group) {
        return new ProcessOnce(dataSource, dialect, group);
    }

    /** Creates the table if it is not there. {@link Dialect#schema} prints the script for those who may not do that at run time. */
    public void createIfAbsent() throws SQLException {
        database.create(Dialect::processedTable);
    }

    /** A handler for a push consumer, concurrent or ordered. */
    public MessageHandler handler(JdbcMessageHandler handler) {
        return message -> process(message, handler);
    }

    /**
     * Handles one message in a transaction, unless it has been processed.
     *
     * @return what the handler answered; SUCCESS for a message that has been processed (a reply is not given again)
     * @throws Exception what the handler or the database threw; what the handler wrote is rolled back, or the note stands with it
     */
    public ConsumeResult process(ReceivedMessage message, JdbcMessageHandler handler) throws Exception {
        String id = idOf(message);
        try (Transaction transaction = database.begin()) {
            Connection connection = transaction.connection();
            if (!firstTime(connection, id)) {
                return ConsumeResult.SUCCESS;
            }
            ConsumeResult result = handler.handle(connection, message);
            if (result != null && result.isDone()) {
                // A driver may say yes to the commit of a transaction that the database has rolled back already.
                if (!isNoted(connection, id)) {
                    throw new SQLException("the handler ended the transaction of message " + id + " itself");
                }
                transaction.commit();
            }
            return result;
        }
    }

    /**
     * Notes, in a transaction of the application's own, that the group has processed the message: for other clients and for frameworks that keep the
     * connections. Call it first of all in the transaction, which can go on whatever it answers.
     *
     * @param messageId an id that all copies have: {@link ReceivedMessage#messageId()}, or {@code getMsgId()} of the stock client
     * @return false if it has been processed: end the transaction and take the message for done
     */
    public boolean firstTime(Connection connection, String messageId) throws SQLException {
        return database.insert(connection, INSERT, group, Database.requireText("message id", messageId));
    }

    /**
     * Removes notes that are older than this, by the clock of the database, at most so many, of all groups. Call it again until it returns less.
     *
     * <p>A message that comes again after its note was removed is processed again, so the age must exceed the time in which that can happen: all retries,
     * the time dead letters wait to be re-driven, and how far back a group may be reset.
     *
     * @param olderThan at least an hour
     * @return how many were removed
     */
    public int purge(Duration olderThan, int maxRows) throws SQLException {
        Database.requirePurge(olderThan, maxRows);
        try (Transaction transaction = database.begin()) {
            Connection connection = transaction.connection();
            long to = database.nowSeconds(connection) - olderThan.toSeconds();
            int removed = database.deleteOlder(
                    connection, TABLE, "consumer_group, message_id", "processed_at_seconds", to, maxRows);
            transaction.commit();
            return removed;
        }
    }

    /** The id that retries, re-drives and replays of the message share. Without an id of its producer it is the one of its first stored copy. */
    static String idOf(ReceivedMessage message) {
        if (message.property("UNIQ_KEY") != null) {
            return message.messageId();
        }
        for (String first : new String[] {"REDRIVEN_ORIGIN_MESSAGE_ID", "DLQ_ORIGIN_MESSAGE_ID", "ORIGIN_MESSAGE_ID"}) {
            if (message.property(first) != null) {
                return message.property(first);
            }
        }
        return message.delivery().storedId();
    }

    private boolean isNoted(Connection connection, String messageId) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement(
                "select 1 from waybill_processed where consumer_group = ? and message_id = ?")) {
            query.setString(1, group);
            query.setString(2, messageId);
            try (ResultSet row = query.executeQuery()) {
                return row.next();
            }
        }
    }
}
