/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.postgresql.ds.PGSimpleDataSource;

/** On the PostgreSQL that is installed here, if one is. */
@Tag("end-to-end")
class PostgresqlTest extends DatabaseContract {
    private static LocalDatabase server;

    @BeforeAll
    static void start() throws Exception {
        server = LocalDatabase.postgresql();
    }

    @AfterAll
    static void stop() throws Exception {
        if (server != null) {
            server.close();
        }
    }

    static DataSource at(int port) {
        PGSimpleDataSource source = new PGSimpleDataSource();
        source.setURL("jdbc:postgresql://127.0.0.1:" + port + "/postgres?user=waybill");
        return source;
    }

    @Override
    DataSource source() {
        return at(server.port());
    }

    @Override
    Dialect dialect() {
        return Dialect.POSTGRESQL;
    }

    @Override
    String lockWait(Connection connection) throws SQLException {
        return ask(connection, "show lock_timeout");
    }
}
