/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.Decision;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.Arrays;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcDataSource;
import org.opentest4j.TestAbortedException;
import org.sqlite.SQLiteDataSource;

/**
 * What the outcome table costs, in one thread on one open connection: a transaction that inserts one row, alone and with its outcome, in turns; and a
 * check of either kind. Prints the medians. {@code OutcomeCost 2000}; not a test.
 */
final class OutcomeCost {
    private int number;

    public static void main(String[] arguments) throws Exception {
        int count = arguments.length == 0 ? 2_000 : Integer.parseInt(arguments[0]);
        Path directory = Files.createTempDirectory("waybill-cost");
        JdbcDataSource h2 = new JdbcDataSource();
        h2.setURL("jdbc:h2:mem:cost;DB_CLOSE_DELAY=-1");
        print("H2 in memory", h2, count);
        SQLiteDataSource sqlite = new SQLiteDataSource();
        sqlite.setUrl("jdbc:sqlite:" + directory.resolve("cost.db") + "?journal_mode=WAL&synchronous=NORMAL");
        print("SQLite, WAL", sqlite, count);
        try (LocalDatabase server = LocalDatabase.postgresql()) {
            print("PostgreSQL", PostgresqlTest.at(server.port()), count);
        } catch (TestAbortedException absent) {
            System.out.println(absent.getMessage());
        }
        try (LocalDatabase server = LocalDatabase.mariadb()) {
            print("MariaDB", MariadbTest.at(server.port()), count);
        } catch (TestAbortedException absent) {
            System.out.println(absent.getMessage());
        }
    }

    private static void print(String name, DataSource source, int count) throws Exception {
        new OutcomeCost().measure(name, source, count);
    }

    private interface Operation {
        void run(String id) throws Exception;
    }

    private void measure(String name, DataSource real, int count) throws Exception {
        try (Connection only = real.getConnection();
                Statement create = only.createStatement()) {
            create.execute("create table business (message_id varchar(100) not null)");
            DataSource source = Wrapped.instead(
                    Wrapped.only(only),
                    (connection, method, arguments) ->
                            method.getName().equals("close") ? null : Wrapped.call(connection, method, arguments));
            OutcomeTable outcomes = OutcomeTable.in(source);
            outcomes.createIfAbsent();
            Operation plain = id -> {
                try (Transaction transaction = Transaction.begin(source)) {
                    write(transaction.connection(), id);
                    transaction.commit();
                }
            };
            Operation fenced = id -> outcomes.execute(id, connection -> write(connection, id));
            Operation checked = id -> outcomes.check(id, Instant.now());
            long[][] nanos = new long[4][count];
            for (int round = -count / 4; round < count; round++) {
                int at = Math.max(0, round); // before 0 nothing is warm yet
                nanos[0][at] = time(plain, "plain" + number++);
                String id = "fenced" + number++;
                nanos[1][at] = time(fenced, id);
                nanos[2][at] = time(checked, id);
                nanos[3][at] = time(checked, "absent" + number++);
            }
            System.out.printf(
                    "%-12s  one row %4d us  with its outcome %4d us  check that finds %4d us  check that decides %4d us%n",
                    name, median(nanos[0]), median(nanos[1]), median(nanos[2]), median(nanos[3]));
        }
    }

    private static long time(Operation operation, String id) throws Exception {
        long start = System.nanoTime();
        operation.run(id);
        return System.nanoTime() - start;
    }

    private static long median(long[] nanos) {
        Arrays.sort(nanos);
        return nanos[nanos.length / 2] / 1_000;
    }

    private static Decision write(Connection connection, String id) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("insert into business (message_id) values (?)")) {
            insert.setString(1, id);
            insert.executeUpdate();
        }
        return Decision.COMMIT;
    }
}
