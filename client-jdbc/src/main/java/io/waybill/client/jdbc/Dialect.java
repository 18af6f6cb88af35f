/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.WaybillException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Locale;

/**
 * What differs between the databases: the types of the two tables, "now", the end of a bounded delete, how an insert says that the key is taken, and
 * how long an insert waits for another transaction that holds the key.
 */
public enum Dialect {
    /** H2 2.x. */
    H2(
            "varchar(255)",
            "bigint default cast(floor(extract(epoch from current_timestamp)) as bigint) not null",
            "",
            "cast(floor(extract(epoch from current_timestamp)) as bigint)"),
    /** SQLite 3.24 or newer. */
    SQLITE(
            "varchar(255)",
            "bigint default (cast(strftime('%s', 'now') as integer)) not null",
            "",
            "cast(strftime('%s', 'now') as integer)"),
    /** PostgreSQL 9.5 or newer. */
    POSTGRESQL(
            "varchar(255)",
            "bigint default floor(extract(epoch from clock_timestamp())) not null",
            "",
            "cast(floor(extract(epoch from clock_timestamp())) as bigint)"),
    /** MySQL 8.0.13 or newer, MariaDB 10.2.1 or newer; tables of the engine InnoDB. */
    MYSQL(
            // Ids differ by case; the server's own collation often does not.
            "varchar(255) character set utf8mb4 collate utf8mb4_bin",
            "bigint default (unix_timestamp()) not null",
            " engine = InnoDB",
            "unix_timestamp()");

    private static final String H2_LOCK_TIMEOUT = "HYT00";
    private static final int MYSQL_DUPLICATE = 1062;
    private static final int MYSQL_LOCK_WAIT = 1205;
    private static final int MYSQL_LOCK_NOWAIT = 3572;
    private static final int MYSQL_DEADLOCK = 1213;
    private static final int H2_DUPLICATE = 23505;
    private static final int H2_LOCK_WAIT = 50200;
    private static final int H2_CONCURRENT_UPDATE = 90131;
    private static final int H2_DEADLOCK = 40001;
    private static final int SQLITE_BUSY = 5;
    private static final int SQLITE_LOCKED = 6;
    private static final int SQLITE_CONSTRAINT = 19;

    private final String text;
    private final String timeColumn;
    private final String tableEnd;
    private final String now;

    Dialect(String text, String timeColumn, String tableEnd, String now) {
        this.text = text;
        this.timeColumn = timeColumn;
        this.tableEnd = tableEnd;
        this.now = now;
    }

    /**
     * The dialect of the database behind a connection.
     *
     * @throws WaybillException of kind INVALID if it is none of them
     */
    public static Dialect of(Connection connection) throws SQLException {
        String product = connection.getMetaData().getDatabaseProductName();
        String name = product == null ? "" : product.toLowerCase(Locale.ROOT);
        if (name.equals("h2")) {
            return H2;
        } else if (name.startsWith("sqlite")) {
            return SQLITE;
        } else if (name.startsWith("postgresql")) {
            return POSTGRESQL;
        } else if (name.startsWith("mysql") || name.startsWith("mariadb")) {
            return MYSQL;
        }
        throw new WaybillException(
                WaybillException.Kind.INVALID,
                -1,
                false,
                "the database is '" + product
                        + "', and outcome tables are known for H2, SQLite, PostgreSQL, MySQL and MariaDB only",
                "name the dialect it is compatible with, if there is one",
                null);
    }

    /** The script that creates both tables, if they are not there: what a migration tool or a database administrator runs. */
    public String schema() {
        return outcomeTable() + "\n" + processedTable();
    }

    String outcomeTable() {
        return "create table if not exists waybill_outcome (\n"
                + "  message_id " + text + " not null,\n"
                + "  outcome varchar(20) not null,\n"
                + "  decided_at_seconds " + timeColumn + ",\n"
                + "  primary key (message_id)" + key("waybill_outcome", "decided_at_seconds") + "\n)" + tableEnd
                + ";\n" + index("waybill_outcome", "decided_at_seconds");
    }

    String processedTable() {
        return "create table if not exists waybill_processed (\n"
                + "  consumer_group " + text + " not null,\n"
                + "  message_id " + text + " not null,\n"
                + "  processed_at_seconds " + timeColumn + ",\n"
                + "  primary key (consumer_group, message_id)" + key("waybill_processed", "processed_at_seconds")
                + "\n)"
                + tableEnd + ";\n" + index("waybill_processed", "processed_at_seconds");
    }

    /** The index by time, for the clean-up; empty where it is a part of the table, because MySQL cannot be asked for it only if it is missing. */
    private String index(String table, String column) {
        return this == MYSQL
                ? ""
                : "create index if not exists " + table + "_by_time on " + table + " (" + column + ");\n";
    }

    private String key(String table, String column) {
        return this == MYSQL ? ",\n  key " + table + "_by_time (" + column + ")" : "";
    }

    /** Now, in seconds since 1970, by the clock of the database: all processes of the service share it. */
    String now() {
        return now;
    }

    /**
     * Goes behind an insert whose key may be taken. A failed statement ends a transaction of PostgreSQL, so there it must not fail; the other three go
     * on, and fail with a code that {@link #isDuplicate} knows.
     */
    String unlessTaken() {
        return this == POSTGRESQL ? " on conflict do nothing" : "";
    }

    /** Deletes at most so many rows that are older than a time; parameters: the time in seconds, how many. */
    String deleteOlder(String table, String key, String column) {
        String older = column + " < ?";
        if (this == MYSQL) {
            return "delete from " + table + " where " + older + " order by " + column + " limit ?";
        }
        return "delete from " + table + " where (" + key + ") in (select " + key + " from " + table + " where " + older
                + " order by " + column + " limit ?)";
    }

    /** Whether an insert failed because its key is taken. Decided by codes, never by texts, which are translated and change. */
    boolean isDuplicate(SQLException failure) {
        return switch (this) {
            case H2 -> failure.getErrorCode() == H2_DUPLICATE;
            case SQLITE -> failure.getErrorCode() == SQLITE_CONSTRAINT;
            case POSTGRESQL -> "23505".equals(failure.getSQLState());
            case MYSQL -> failure.getErrorCode() == MYSQL_DUPLICATE;
        };
    }

    /** Whether a statement gave way to another transaction: it waited for its lock without success, or would have to see what it may not. */
    boolean isContended(SQLException failure) {
        String state = failure.getSQLState();
        int code = failure.getErrorCode();
        boolean serialization = "40001".equals(state) || "40P01".equals(state);
        return switch (this) {
            case H2 ->
                serialization
                        || H2_LOCK_TIMEOUT.equals(state)
                        || code == H2_LOCK_WAIT
                        || code == H2_CONCURRENT_UPDATE
                        || code == H2_DEADLOCK;
            case SQLITE -> (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
            case POSTGRESQL -> serialization || "55P03".equals(state) || "57014".equals(state);
            case MYSQL ->
                serialization || code == MYSQL_LOCK_WAIT || code == MYSQL_LOCK_NOWAIT || code == MYSQL_DEADLOCK;
        };
    }

    /**
     * Lets the statements of the transaction on this connection wait at most so long for a lock.
     *
     * @return what sets the connection back as it was, after the end of the transaction
     */
    LockWait limitLockWait(Connection connection, int millis) throws SQLException {
        return switch (this) {
            case POSTGRESQL -> {
                execute(connection, "set local lock_timeout = " + millis); // ends with the transaction
                yield () -> {};
            }
            case MYSQL -> {
                int before = number(connection, "select @@session.innodb_lock_wait_timeout");
                // Only for the session, and in whole seconds.
                execute(connection, "set session innodb_lock_wait_timeout = " + Math.max(1, (millis + 999) / 1000));
                yield () -> execute(connection, "set session innodb_lock_wait_timeout = " + before);
            }
            case H2 -> {
                int before = number(connection, "select lock_timeout()");
                execute(connection, "set lock_timeout " + millis);
                yield () -> execute(connection, "set lock_timeout " + before);
            }
            case SQLITE -> {
                int before = number(connection, "pragma busy_timeout");
                execute(connection, "pragma busy_timeout = " + millis);
                yield () -> execute(connection, "pragma busy_timeout = " + before);
            }
        };
    }

    /** The lowest isolation level that reads nothing uncommitted; none where even READ UNCOMMITTED does not. */
    int committedLevel() {
        return switch (this) {
            case POSTGRESQL -> Connection.TRANSACTION_NONE;
            case SQLITE -> Connection.TRANSACTION_SERIALIZABLE; // it has no other
            case H2, MYSQL -> Connection.TRANSACTION_READ_COMMITTED;
        };
    }

    /** Whether {@link #limitLockWait} ends with the transaction, else it stays until it is set back. */
    boolean limitsTransaction() {
        return this == POSTGRESQL;
    }

    /** Sets a connection back as it was. */
    @FunctionalInterface
    interface LockWait {
        void restore() throws SQLException;
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static int number(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            if (!row.next()) {
                throw new SQLException("no answer to: " + sql);
            }
            return row.getInt(1);
        }
    }
}
