/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.util.Queue;
import java.util.function.Function;
import javax.sql.DataSource;

/** A data source whose connections do something of their own. */
final class Wrapped {
    /** Called instead of a method of a connection. */
    @FunctionalInterface
    interface Instead {
        Object call(Connection connection, Method method, Object[] arguments) throws Exception;
    }

    /** Made for a new connection. */
    @FunctionalInterface
    interface Prepare {
        void of(Connection connection) throws Exception;
    }

    private Wrapped() {}

    static DataSource each(DataSource real, Prepare prepare) {
        return source(real, connection -> {
            prepare.of(connection);
            return connection;
        });
    }

    static DataSource instead(DataSource real, Instead instead) {
        return around(real, connection -> instead);
    }

    /** Each connection with what it does of its own made for it. */
    static DataSource around(DataSource real, Function<Connection, Instead> instead) {
        return source(real, connection -> {
            Instead own = instead.apply(connection);
            return (Connection) Proxy.newProxyInstance(
                    Wrapped.class.getClassLoader(),
                    new Class<?>[] {Connection.class},
                    (proxy, method, arguments) -> own.call(connection, method, arguments));
        });
    }

    /** One connection for each thread, which stays open: connecting takes longer than what is done. */
    static DataSource perThread(DataSource real, Queue<Connection> opened) {
        ThreadLocal<Connection> mine = new ThreadLocal<>();
        return (DataSource) Proxy.newProxyInstance(
                Wrapped.class.getClassLoader(), new Class<?>[] {DataSource.class}, (proxy, method, arguments) -> {
                    if (mine.get() == null) {
                        Connection connection = real.getConnection();
                        opened.add(connection);
                        mine.set((Connection) Proxy.newProxyInstance(
                                Wrapped.class.getClassLoader(),
                                new Class<?>[] {Connection.class},
                                (self, called, with) ->
                                        called.getName().equals("close") ? null : call(connection, called, with)));
                    }
                    return mine.get();
                });
    }

    /** Always this one connection. */
    static DataSource only(Connection connection) {
        return (DataSource) Proxy.newProxyInstance(
                Wrapped.class.getClassLoader(),
                new Class<?>[] {DataSource.class},
                (proxy, method, arguments) -> connection);
    }

    static Object call(Object target, Method method, Object[] arguments) throws Exception {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }

    private interface Change {
        Connection of(Connection connection) throws Exception;
    }

    private static DataSource source(DataSource real, Change change) {
        return (DataSource) Proxy.newProxyInstance(
                Wrapped.class.getClassLoader(), new Class<?>[] {DataSource.class}, (proxy, method, arguments) -> {
                    Object result = call(real, method, arguments);
                    return result instanceof Connection connection ? change.of(connection) : result;
                });
    }
}
