/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.waybill.client.ConsumeResult;
import io.waybill.client.DeadLetters.Redrive;
import io.waybill.client.DeadLetters.Selection;
import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.StartFrom;
import io.waybill.client.TransactionInspector.Details;
import io.waybill.client.TransactionInspector.TransactionState;
import io.waybill.client.TransactionReceipt;
import io.waybill.client.WaybillClient;
import io.waybill.client.WaybillException;
import io.waybill.client.jdbc.JdbcMessageHandler;
import io.waybill.client.jdbc.JdbcTransactionProducer;
import io.waybill.client.jdbc.LocalTransaction;
import io.waybill.client.jdbc.LocalTransactionException;
import io.waybill.client.jdbc.OutcomeTable;
import io.waybill.client.jdbc.ProcessOnce;
import io.waybill.client.jdbc.RolledBackByCheckException;
import io.waybill.verify.embedded.TestBroker;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcConnectionPool;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The outcome table and process-once with a broker between. */
@Tag("end-to-end")
class OwnFenceTest {
    @RegisterExtension
    static final TestBroker broker =
            TestBroker.with("transactionTimeoutMillis", "300").and("transactionCheckMillis", "300");

    private static JdbcConnectionPool database;
    private static OutcomeTable outcomes;
    private final String topic = Own.unique("fenced");
    private final Own own = new Own(broker);
    private WaybillClient client;
    private Own.Inbox inbox;

    @BeforeAll
    static void start() throws SQLException {
        database = JdbcConnectionPool.create("jdbc:h2:mem:fence;DB_CLOSE_DELAY=-1", "", "");
        outcomes = OutcomeTable.in(database);
        outcomes.createIfAbsent();
        ProcessOnce.in(database, "any").createIfAbsent();
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute("create table orders (id varchar(100))");
        }
    }

    @AfterAll
    static void stop() {
        database.dispose();
    }

    @BeforeEach
    void connect() {
        client = own.client();
        client.admin().topics().create(topic, 2);
        inbox = own.consume(topic + "-inbox", topic, "*");
    }

    @Test
    void whatCommitsIsDeliveredAndWhatDoesNotIsNot() throws Exception {
        try (JdbcTransactionProducer producer = outcomes.producer(client.transactionProducer(topic + "-service"))) {
            TransactionReceipt committed = producer.send(message("committed"), order(topic + " committed"));
            TransactionReceipt rolledBack = producer.send(message("rolled back"), connection -> {
                insert(connection, topic + " rolled back");
                return Decision.ROLLBACK;
            });
            assertThatThrownBy(() -> producer.send(message("failed"), connection -> {
                        insert(connection, topic + " failed");
                        throw new IllegalStateException("declined");
                    }))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("declined");
            assertThatThrownBy(() -> producer.sendAsync(message("failed later"), connection -> {
                                insert(connection, topic + " failed later");
                                throw new IllegalStateException("declined");
                            })
                            .join())
                    .isInstanceOf(CompletionException.class)
                    .hasCauseInstanceOf(IllegalStateException.class);
            producer.sendAsync(message("committed later"), order(topic + " committed later"))
                    .join();

            assertThat(committed.decision()).isEqualTo(Decision.COMMIT);
            assertThat(rolledBack.decision()).isEqualTo(Decision.ROLLBACK);
            Own.await("what is committed", () -> inbox.messages().size() >= 2);
            assertThat(inbox.texts()).containsExactlyInAnyOrder("committed", "committed later");
            assertThat(orders()).containsExactly(topic + " committed", topic + " committed later");
        }
    }

    @Test
    void aTransactionThatACheckCameBeforeIsRolledBackOnBothSides() throws Exception {
        Message message = message("late");
        OutcomeTable checkedFirst = OutcomeTable.in(withCheckBefore(message.id()));
        try (JdbcTransactionProducer producer = checkedFirst.producer(client.transactionProducer(topic + "-service"))) {
            RolledBackByCheckException late = catchThrowableOfType(
                    RolledBackByCheckException.class, () -> producer.send(message, order(topic + " late")));

            assertThat(late.messageId()).isEqualTo(message.id());
            Own.await("the broker to know", () -> stage(message.id()) == TransactionState.Stage.ROLLED_BACK);
            assertThat(orders()).isEmpty();
            assertThat(inbox.messages()).isEmpty();
        }
    }

    @Test
    void aLostCommitIsDecidedByTheCheckThatReads() throws Exception {
        for (boolean happened : new boolean[] {true, false}) {
            Message message = message("lost " + happened);
            OutcomeTable losing = OutcomeTable.in(losingCommit(happened));
            try (JdbcTransactionProducer producer = losing.producer(client.transactionProducer(topic + "-service"))) {
                LocalTransactionException unknown = catchThrowableOfType(
                        LocalTransactionException.class,
                        () -> producer.send(message, order(topic + " lost " + happened)));
                assertThat(unknown.decision()).isEqualTo(Decision.UNKNOWN);
            }
            // The checks of the next life.
            try (JdbcTransactionProducer producer = outcomes.producer(
                    client.transactionProducer(topic + "-service").topics(topic))) {
                assertThat(producer.group()).isEqualTo(topic + "-service");
                Own.await("the check", () -> stage(message.id()) != TransactionState.Stage.OPEN);
                assertThat(stage(message.id()))
                        .isEqualTo(happened ? TransactionState.Stage.COMMITTED : TransactionState.Stage.ROLLED_BACK);
            }
        }
        Own.await("what is committed", () -> inbox.messages().size() == 1);
        assertThat(orders()).containsExactly(topic + " lost true");
    }

    @Test
    void aMessageIsProcessedOnceThroughRejectionRedriveAndReplay() throws Exception {
        String group = topic + "-billing";
        ProcessOnce once = ProcessOnce.in(database, group);
        AtomicInteger calls = new AtomicInteger();
        JdbcMessageHandler handler = (connection, message) -> {
            insert(connection, topic + " " + message.text() + " " + calls.incrementAndGet());
            return calls.get() == 1 ? ConsumeResult.REJECT : ConsumeResult.SUCCESS;
        };
        client.pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .onMessage(once.handler(handler))
                .start();
        client.producer("plain").build().send(message("order"));
        Own.await("the dead letter", () -> redriven(group) == 1);
        Own.await("the re-driven message", () -> orders().size() == 1);
        assertThat(orders()).containsExactly(topic + " order 2");

        List<ConsumeResult> again = new ArrayList<>();
        client.replay(topic).into(topic + "-replay-once").run(message -> again.add(once.process(message, handler)));
        assertThat(again).isNotEmpty().containsOnly(ConsumeResult.SUCCESS);
        assertThat(calls).hasValue(2);

        ProcessOnce anew = ProcessOnce.in(database, topic + "-anew");
        client.replay(topic).into(topic + "-replay-anew").run(message -> anew.process(message, handler));
        assertThat(orders()).contains(topic + " order 3");
    }

    private int redriven(String group) {
        try {
            return client.admin()
                    .deadLetters()
                    .redrive(group, Selection.allOpen(), Redrive.unchanged(), "ann", "fixed")
                    .size();
        } catch (WaybillException noneYet) {
            return 0;
        }
    }

    private Message message(String body) {
        return Message.to(topic).body(body).build();
    }

    private TransactionState.Stage stage(String messageId) {
        return client.admin()
                .transactions()
                .find(messageId)
                .map(Details::state)
                .orElseThrow()
                .stage();
    }

    private static LocalTransaction<SQLException> order(String id) {
        return connection -> {
            insert(connection, id);
            return Decision.COMMIT;
        };
    }

    private static void insert(Connection connection, String id) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("insert into orders (id) values (?)")) {
            insert.setString(1, id);
            insert.executeUpdate();
        }
    }

    private List<String> orders() {
        List<String> ids = new ArrayList<>();
        try (Connection connection = database.getConnection();
                PreparedStatement query =
                        connection.prepareStatement("select id from orders where id like ? order by id")) {
            query.setString(1, topic + " %");
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    ids.add(rows.getString(1));
                }
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
        return ids;
    }

    /** Another instance answers the check while this one has not begun. */
    private static DataSource withCheckBefore(String messageId) {
        return source(() -> {
            assertThat(outcomes.check(messageId, Instant.now())).isEqualTo(Decision.ROLLBACK);
            return database.getConnection();
        });
    }

    private static DataSource losingCommit(boolean happens) {
        return source(() -> {
            Connection connection = database.getConnection();
            return (Connection) Proxy.newProxyInstance(
                    OwnFenceTest.class.getClassLoader(),
                    new Class<?>[] {Connection.class},
                    (proxy, method, arguments) -> {
                        if (method.getName().equals("commit")) {
                            if (happens) {
                                connection.commit();
                            } else {
                                connection.rollback();
                            }
                            throw new SQLException("connection reset", "08006");
                        }
                        try {
                            return method.invoke(connection, arguments);
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
        });
    }

    @FunctionalInterface
    private interface Connections {
        Connection get() throws SQLException;
    }

    private static DataSource source(Connections connections) {
        return (DataSource) Proxy.newProxyInstance(
                OwnFenceTest.class.getClassLoader(),
                new Class<?>[] {DataSource.class},
                (proxy, method, arguments) -> connections.get());
    }
}
