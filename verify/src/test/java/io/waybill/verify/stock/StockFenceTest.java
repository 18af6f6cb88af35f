/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.WaybillClient;
import io.waybill.client.jdbc.OutcomeTable;
import io.waybill.client.jdbc.ProcessOnce;
import io.waybill.client.jdbc.RolledBackByCheckException;
import io.waybill.verify.embedded.TestBroker;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.sql.DataSource;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.h2.jdbcx.JdbcConnectionPool;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The listener of docs/outcome-table.md with the stock client: the outcome table needs neither our client nor our transactions. */
@Tag("end-to-end")
class StockFenceTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    final TestBroker broker = TestBroker.with("transactionTimeoutMillis", "300").and("transactionCheckMillis", "300");

    private JdbcConnectionPool database;
    private final Stock stock = new Stock(broker);

    @BeforeEach
    void start() throws Exception {
        database = JdbcConnectionPool.create("jdbc:h2:mem:" + Stock.unique("fence") + ";DB_CLOSE_DELAY=-1", "", "");
        OutcomeTable.in(database).createIfAbsent();
        ProcessOnce.in(database, "any").createIfAbsent();
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute("create table orders (id varchar(100) primary key)");
        }
        try (WaybillClient client = WaybillClient.connect(broker.namesrvAddress())) {
            client.admin().topics().create("orders", 2);
        }
    }

    @AfterEach
    void stop() {
        database.dispose();
    }

    /** Its local transaction is slower than the check, which the stock client asks while it still runs. */
    static final class OrderListener implements TransactionListener {
        private final DataSource database;
        private final OutcomeTable outcomes;
        private final Runnable meanwhile;

        OrderListener(DataSource database, Runnable meanwhile) {
            this.database = database;
            this.outcomes = OutcomeTable.in(database);
            this.meanwhile = meanwhile;
        }

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
            try (Connection connection = database.getConnection()) {
                connection.setAutoCommit(false);
                outcomes.insertCommitted(connection, message.getTransactionId()); // first of all
                insert(connection, (String) argument);
                meanwhile.run();
                connection.commit();
                return LocalTransactionState.COMMIT_MESSAGE;
            } catch (RolledBackByCheckException late) {
                return LocalTransactionState.ROLLBACK_MESSAGE;
            } catch (SQLException unknown) {
                return LocalTransactionState.UNKNOW; // the check reads what stands
            }
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            try {
                Instant bornAt = Instant.ofEpochMilli(message.getBornTimestamp());
                return switch (outcomes.check(message.getTransactionId(), bornAt)) {
                    case COMMIT -> LocalTransactionState.COMMIT_MESSAGE;
                    case ROLLBACK -> LocalTransactionState.ROLLBACK_MESSAGE;
                    case UNKNOWN -> LocalTransactionState.UNKNOW;
                };
            } catch (SQLException unknown) {
                return LocalTransactionState.UNKNOW;
            }
        }
    }

    @Test
    void aSlowTransactionThatIsAskedAboutMeanwhileCommitsOnBothSides() throws Exception {
        Stock.Inbox inbox = stock.consume("billing", "orders", "*");
        List<LocalTransactionState> answers = new CopyOnWriteArrayList<>();
        OrderListener listener = new OrderListener(
                database, () -> Stock.await("a check while it runs", LIMIT, () -> !answers.isEmpty()));
        TransactionMQProducer producer = stock.transactionProducer("order-service", new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return listener.executeLocalTransaction(message, argument);
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                LocalTransactionState state = listener.checkLocalTransaction(message);
                answers.add(state);
                return state;
            }
        });

        TransactionSendResult sent =
                producer.sendMessageInTransaction(Stock.message("orders", "new", "order-1", "one kettle"), "order-1");

        assertThat(answers.get(0)).isEqualTo(LocalTransactionState.UNKNOW);
        assertThat(sent.getLocalTransactionState()).isEqualTo(LocalTransactionState.COMMIT_MESSAGE);
        inbox.awaitCount(1, LIMIT);
        assertThat(inbox.bodies()).containsExactly("one kettle");
    }

    @Test
    void aRedeliveredMessageIsProcessedOnceByAStockConsumer() throws Exception {
        ProcessOnce once = ProcessOnce.in(database, "billing");
        List<Boolean> firstTimes = new CopyOnWriteArrayList<>();
        stock.consumer("billing", "orders", "*", (messages, context) -> {
            for (MessageExt message : messages) {
                try (Connection connection = database.getConnection()) {
                    connection.setAutoCommit(false);
                    boolean first = once.firstTime(connection, message.getMsgId());
                    if (first) {
                        insert(connection, message.getKeys());
                    }
                    connection.commit();
                    firstTimes.add(first);
                } catch (SQLException e) {
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
            }
            context.setDelayLevelWhenNextConsume(1);
            // The acknowledgement of the first delivery gets lost.
            return firstTimes.size() == 1
                    ? ConsumeConcurrentlyStatus.RECONSUME_LATER
                    : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        stock.producer().send(Stock.message("orders", "new", "order-7", "one kettle"));
        Stock.await("the second delivery", LIMIT, () -> firstTimes.size() >= 2);

        assertThat(firstTimes).containsExactly(true, false);
    }

    private static void insert(Connection connection, String id) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("insert into orders (id) values (?)")) {
            insert.setString(1, id);
            insert.executeUpdate();
        }
    }
}
