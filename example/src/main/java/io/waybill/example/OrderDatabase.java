/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Set;
import java.util.TreeSet;
import org.h2.jdbcx.JdbcConnectionPool;

/** The order service's own table. A step of an order has happened exactly if its row is here. Safe for use from any thread. */
public final class OrderDatabase implements AutoCloseable {
    private final JdbcConnectionPool pool;

    private OrderDatabase(JdbcConnectionPool pool) {
        this.pool = pool;
    }

    /** Opens a database that lives as long as this object. */
    public static OrderDatabase inMemory(String name) throws SQLException {
        JdbcConnectionPool pool = JdbcConnectionPool.create("jdbc:h2:mem:" + name + ";DB_CLOSE_DELAY=-1", "", "");
        try (Connection connection = pool.getConnection();
                PreparedStatement create = connection.prepareStatement(
                        "create table if not exists order_step ("
                                + "order_id varchar(40), step varchar(10), message_id varchar(60) unique, primary key (order_id, step))")) {
            create.execute();
        }
        return new OrderDatabase(pool);
    }

    /** The local transaction: records that the step happened, under the id of the message that will tell the others. */
    public void record(String orderId, OrderStep step, String messageId) throws SQLException {
        try (Connection connection = pool.getConnection()) {
            connection.setAutoCommit(false);
            try (PreparedStatement insert = connection.prepareStatement(
                    "insert into order_step (order_id, step, message_id) values (?, ?, ?)")) {
                insert.setString(1, orderId);
                insert.setString(2, step.name());
                insert.setString(3, messageId);
                insert.executeUpdate();
                connection.commit();
            } catch (SQLException failure) {
                connection.rollback();
                throw failure;
            }
        }
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

    /** Whether this step of the order has happened. */
    public boolean isRecorded(String orderId, OrderStep step) throws SQLException {
        return recorded().contains(orderId + " " + step);
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
