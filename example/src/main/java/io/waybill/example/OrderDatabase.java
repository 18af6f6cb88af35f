/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Set;
import java.util.TreeSet;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcConnectionPool;

/**
 * The order service's own tables. A step of an order has happened exactly if its row is here. Beside them stand the two tables that keep queue and
 * database in agreement. Safe for use from any thread.
 */
public final class OrderDatabase implements AutoCloseable {
    private static final int MAX_CONNECTIONS = 64;

    private final JdbcConnectionPool pool;

    private OrderDatabase(JdbcConnectionPool pool) {
        this.pool = pool;
    }

    /** Opens a database that lives as long as this object. */
    public static OrderDatabase inMemory(String name) throws SQLException {
        JdbcConnectionPool pool = JdbcConnectionPool.create("jdbc:h2:mem:" + name + ";DB_CLOSE_DELAY=-1", "", "");
        pool.setMaxConnections(MAX_CONNECTIONS);
        try (Connection connection = pool.getConnection();
                Statement create = connection.createStatement()) {
            create.execute("create table if not exists order_step (order_id varchar(40), step varchar(10),"
                    + " message_id varchar(60) unique, primary key (order_id, step))");
            create.execute("create table if not exists shipment (order_id varchar(40) primary key, step varchar(10))");
        }
        return new OrderDatabase(pool);
    }

    /** Where connections come from. */
    public DataSource connections() {
        return pool;
    }

    /** Part of a local transaction: records that the step happened, under the id of the message that will tell the others. */
    static void record(Connection connection, String orderId, OrderStep step, String messageId) throws SQLException {
        try (PreparedStatement insert =
                connection.prepareStatement("insert into order_step (order_id, step, message_id) values (?, ?, ?)")) {
            insert.setString(1, orderId);
            insert.setString(2, step.name());
            insert.setString(3, messageId);
            insert.executeUpdate();
        }
    }

    /** Part of a consumer's transaction: notes the step as the order's last one; returns the one before, or null. */
    static OrderStep ship(Connection connection, String orderId, OrderStep step) throws SQLException {
        OrderStep before = null;
        try (PreparedStatement query =
                connection.prepareStatement("select step from shipment where order_id = ? for update")) {
            query.setString(1, orderId);
            try (ResultSet row = query.executeQuery()) {
                if (row.next()) {
                    before = OrderStep.valueOf(row.getString(1));
                }
            }
        }
        String sql = before == null
                ? "insert into shipment (step, order_id) values (?, ?)"
                : "update shipment set step = ? where order_id = ?";
        try (PreparedStatement write = connection.prepareStatement(sql)) {
            write.setString(1, step.name());
            write.setString(2, orderId);
            write.executeUpdate();
        }
        return before;
    }

    /** Whether the local transaction of this message has committed. */
    public boolean isRecorded(String messageId) throws SQLException {
        try (Connection connection = pool.getConnection();
                PreparedStatement query =
                        connection.prepareStatement("select 1 from order_step where message_id = ?")) {
            query.setString(1, messageId);
            try (ResultSet rows = query.executeQuery()) {
                return rows.next();
            }
        }
    }

    /** Everything that has happened, as "order step", sorted. */
    public Set<String> recorded() throws SQLException {
        Set<String> steps = new TreeSet<>();
        try (Connection connection = pool.getConnection();
                PreparedStatement query = connection.prepareStatement("select order_id, step from order_step");
                ResultSet rows = query.executeQuery()) {
            while (rows.next()) {
                steps.add(rows.getString(1) + " " + rows.getString(2));
            }
        }
        return steps;
    }

    @Override
    public void close() {
        pool.dispose();
    }
}
