/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.waybill.client.Decision;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcConnectionPool;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** With the outcome table database and queue agree in every history; without it the same histories must show that they do not. */
class FenceHistoriesTest {
    private static final int HISTORIES = Integer.getInteger("waybill.histories", 10_000);
    private static final long SEED = Long.getLong("waybill.seed", 6_000_000);
    /** Of the listener that everybody copies; one in a few of its histories disagrees. */
    private static final int HISTORIES_WITHOUT = 300;

    private JdbcConnectionPool database;

    @BeforeEach
    void create() throws SQLException {
        // In one thread whoever waits for a lock waits in vain, so nobody waits.
        database = JdbcConnectionPool.create("jdbc:h2:mem:histories;LOCK_TIMEOUT=0", "", "");
        database.setMaxConnections(100);
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute("create table business (message_id varchar(100) primary key)");
        }
        OutcomeTable.in(database).createIfAbsent();
    }

    @AfterEach
    void drop() {
        database.dispose();
    }

    @Test
    void withTheOutcomeTableDatabaseAndQueueNeverDisagree() throws Exception {
        for (long seed = SEED; seed < SEED + HISTORIES; seed++) {
            String wrong = new FenceHistory(seed, database, FenceHistoriesTest::fenced).run();
            if (wrong != null) {
                fail("-Dwaybill.seed=" + seed + " -Dwaybill.histories=1: " + wrong);
            }
        }
        assertThat(database.getActiveConnections()).isZero();
    }

    @Test
    void withoutItTheyDo() throws Exception {
        int lost = 0;
        int unfounded = 0;
        for (long seed = 1; seed <= HISTORIES_WITHOUT; seed++) {
            String wrong = new FenceHistory(seed, database, FenceHistoriesTest::looking).run();
            if (wrong != null && wrong.contains("database committed, queue ROLLBACK")) {
                lost++;
            } else if (wrong != null) {
                unfounded++;
            }
        }
        assertThat(lost).as("orders that are in the database and in no queue").isPositive();
        assertThat(unfounded).as("messages without an order").isZero();
    }

    private static FenceHistory.Service fenced(DataSource source) {
        OutcomeTable outcomes = OutcomeTable.in(source, 0);
        return new FenceHistory.Service() {
            @Override
            public Decision execute(String messageId, LocalTransaction<Exception> work) throws Exception {
                return outcomes.execute(messageId, work);
            }

            @Override
            public Decision check(String messageId) throws Exception {
                return outcomes.check(messageId, Instant.now());
            }
        };
    }

    /** Asks the database whether the order is there. */
    private static FenceHistory.Service looking(DataSource source) {
        return new FenceHistory.Service() {
            @Override
            public Decision execute(String messageId, LocalTransaction<Exception> work) throws Exception {
                try (Transaction transaction = Transaction.begin(source)) {
                    Decision decision = work.run(transaction.connection());
                    if (decision == Decision.COMMIT) {
                        transaction.commit();
                    }
                    return decision;
                }
            }

            @Override
            public Decision check(String messageId) throws Exception {
                try (Connection connection = source.getConnection()) {
                    return FenceHistory.isRecorded(connection, messageId) ? Decision.COMMIT : Decision.ROLLBACK;
                }
            }
        };
    }
}
