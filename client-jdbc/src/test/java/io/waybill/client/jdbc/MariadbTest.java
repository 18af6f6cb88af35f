/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.mariadb.jdbc.MariaDbDataSource;

/** On the MariaDB that is installed here, if one is. */
@Tag("end-to-end")
class MariadbTest extends DatabaseContract {
    private static LocalDatabase server;

    @BeforeAll
    static void start() throws Exception {
        server = LocalDatabase.mariadb();
    }

    @AfterAll
    static void stop() throws Exception {
        if (server != null) {
            server.close();
        }
    }

    static DataSource at(int port) throws SQLException {
        return new MariaDbDataSource(
                "jdbc:mariadb://127.0.0.1:" + port + "/test?user=root&createDatabaseIfNotExist=true");
    }

    @Override
    DataSource source() throws SQLException {
        return at(server.port());
    }

    @Override
    Dialect dialect() {
        return Dialect.MYSQL;
    }

    @Override
    String lockWait(Connection connection) throws SQLException {
        return ask(connection, "select @@session.innodb_lock_wait_timeout");
    }
}
