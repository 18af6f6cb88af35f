/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.junit.jupiter.api.io.TempDir;
import org.sqlite.SQLiteDataSource;

class SqliteTest extends DatabaseContract {
    @TempDir
    Path directory;

    @Override
    DataSource source() {
        SQLiteDataSource source = new SQLiteDataSource();
        source.setUrl("jdbc:sqlite:" + directory.resolve("contract.db"));
        return source;
    }

    @Override
    Dialect dialect() {
        return Dialect.SQLITE;
    }

    @Override
    String lockWait(Connection connection) throws SQLException {
        return ask(connection, "pragma busy_timeout");
    }
}
