/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcDataSource;

class H2Test extends DatabaseContract {
    @Override
    DataSource source() {
        JdbcDataSource source = new JdbcDataSource();
        source.setURL("jdbc:h2:mem:contract;DB_CLOSE_DELAY=-1");
        return source;
    }

    @Override
    Dialect dialect() {
        return Dialect.H2;
    }

    @Override
    String lockWait(Connection connection) throws SQLException {
        return ask(connection, "select lock_timeout()");
    }
}
