/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.WaybillException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import javax.sql.DataSource;

/** The service's database: where its connections come from and what its dialect is. */
final class Database {
    /** The length of the columns that keep ids and groups, in characters. */
    private static final int MAX_ID = 255;

    static final Duration MIN_PURGE_AGE = Duration.ofHours(1);
    private static final int MAX_PURGE_ROWS = 100_000;

    private final DataSource dataSource;
    private volatile Dialect dialect;

    /** @param dialect null to ask the first connection */
    Database(DataSource dataSource, Dialect dialect) {
        if (dataSource == null) {
            throw invalid("a data source is needed, but it is null", "give the one the service works with");
        }
        this.dataSource = dataSource;
        this.dialect = dialect;
    }

    Transaction begin() throws SQLException {
        return Transaction.begin(dataSource);
    }

    Dialect dialect(Connection connection) throws SQLException {
        Dialect known = dialect;
        if (known == null) {
            known = Dialect.of(connection);
            dialect = known;
        }
        return known;
    }

    /** Runs what creates a table. */
    void create(Script script) throws SQLException {
        try (Connection connection = dataSource.getConnection();
                Statement statement = connection.createStatement()) {
            for (String sql : script.of(dialect(connection)).split(";\\s*")) {
                if (!sql.isBlank()) {
                    statement.execute(sql);
                }
            }
            if (!connection.getAutoCommit()) {
                connection.commit();
            }
        }
    }

    /** What creates a table in a dialect. */
    @FunctionalInterface
    interface Script {
        String of(Dialect dialect);
    }

    /**
     * Inserts a row of two texts; false if its key is taken. The transaction goes on either way.
     *
     * @param sql ends with the values
     */
    boolean insert(Connection connection, String sql, String first, String second) throws SQLException {
        Dialect known = dialect(connection);
        try (PreparedStatement insert = connection.prepareStatement(sql + known.unlessTaken())) {
            insert.setString(1, first);
            insert.setString(2, second);
            return insert.executeUpdate() == 1;
        } catch (SQLException failure) {
            if (known.isDuplicate(failure)) {
                return false;
            }
            throw failure;
        }
    }

    /** Seconds since 1970 by the clock of the database. */
    long nowSeconds(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row =
                        statement.executeQuery("select " + dialect(connection).now())) {
            row.next();
            return row.getLong(1);
        }
    }

    int deleteOlder(Connection connection, String table, String key, String column, long thanSeconds, int maxRows)
            throws SQLException {
        try (PreparedStatement delete =
                connection.prepareStatement(dialect(connection).deleteOlder(table, key, column))) {
            delete.setLong(1, thanSeconds);
            delete.setInt(2, maxRows);
            return delete.executeUpdate();
        }
    }

    static void requirePurge(Duration olderThan, int maxRows) {
        if (olderThan == null || olderThan.compareTo(MIN_PURGE_AGE) < 0) {
            throw invalid(
                    "the age from which rows are removed must be at least " + MIN_PURGE_AGE + ", but is " + olderThan,
                    "name an age that no check and no redelivery can exceed, days rather than hours");
        }
        if (maxRows < 1 || maxRows > MAX_PURGE_ROWS) {
            throw invalid(
                    "the rows removed at once must be 1 to " + MAX_PURGE_ROWS + ", but are " + maxRows,
                    "call it again until it returns less than that");
        }
    }

    static String requireText(String what, String text) {
        if (text == null || text.isBlank() || text.length() > MAX_ID) {
            throw invalid(
                    "the " + what + " must have 1 to " + MAX_ID + " characters, but "
                            + (text == null ? "is null" : "has " + text.length() + ": '" + shown(text) + "'"),
                    "give it as it is in the message");
        }
        return text;
    }

    private static String shown(String text) {
        return text.length() > 40 ? text.substring(0, 40) + "..." : text;
    }

    static WaybillException invalid(String what, String advice) {
        return new WaybillException(WaybillException.Kind.INVALID, -1, false, what, advice, null);
    }
}
