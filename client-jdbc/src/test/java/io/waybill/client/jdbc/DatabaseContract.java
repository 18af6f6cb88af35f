/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Decision;
import io.waybill.client.WaybillException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What holds on every database. The work of a transaction is a row in {@code business}. */
abstract class DatabaseContract {
    private static final int[] ISOLATIONS = {
        Connection.TRANSACTION_READ_UNCOMMITTED,
        Connection.TRANSACTION_READ_COMMITTED,
        Connection.TRANSACTION_REPEATABLE_READ,
        Connection.TRANSACTION_SERIALIZABLE
    };

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Queue<Connection> opened = new ConcurrentLinkedQueue<>();
    private DataSource source;
    private OutcomeTable outcomes;

    /** Connections to one and the same database. */
    abstract DataSource source() throws Exception;

    abstract Dialect dialect();

    /** How long a waiting insert may wait, in milliseconds and in the database's own setting, of a connection. */
    abstract String lockWait(Connection connection) throws SQLException;

    @BeforeEach
    void emptyTables() throws Exception {
        source = source();
        outcomes = OutcomeTable.in(source);
        try (Connection connection = source.getConnection();
                Statement statement = connection.createStatement()) {
            for (String table : List.of("waybill_outcome", "waybill_processed", "business")) {
                statement.execute("drop table if exists " + table);
            }
            statement.execute("create table business (message_id varchar(100) not null, note varchar(100))"
                    + (dialect() == Dialect.MYSQL ? " engine = InnoDB" : ""));
        }
        outcomes.createIfAbsent();
        ProcessOnce.in(source, "g").createIfAbsent();
    }

    @AfterEach
    void endThreads() throws SQLException {
        threads.shutdownNow();
        for (Connection connection : opened) {
            connection.close();
        }
    }

    @Test
    void theDialectIsRecognised() throws Exception {
        try (Connection connection = source.getConnection()) {
            assertThat(Dialect.of(connection)).isEqualTo(dialect());
        }
    }

    @Test
    void theScriptMakesWhatTheLibraryMakesAndCanRunTwice() throws Exception {
        execute("drop table waybill_outcome");
        execute("drop table waybill_processed");
        for (int run = 0; run < 2; run++) {
            for (String sql : dialect().schema().split(";\\s*")) {
                execute(sql);
            }
        }
        outcomes.createIfAbsent();
        assertThat(outcomes.execute("m", connection -> write(connection, "m"))).isEqualTo(Decision.COMMIT);
        assertThat(ProcessOnce.in(source, "g").process(Delivered.message("m"), (c, m) -> ConsumeResult.SUCCESS))
                .isEqualTo(ConsumeResult.SUCCESS);
    }

    @Test
    void aCommittedTransactionIsCommittedForEveryCheck() throws Exception {
        assertThat(outcomes.execute("m", connection -> write(connection, "m"))).isEqualTo(Decision.COMMIT);

        assertThat(check("m")).isEqualTo(Decision.COMMIT);
        assertThat(check("m")).isEqualTo(Decision.COMMIT);
        assertThat(business()).containsExactly("m");
    }

    @Test
    void itsWorkIsNotDoneASecondTime() throws Exception {
        outcomes.execute("m", connection -> write(connection, "m"));

        assertThat(outcomes.execute("m", connection -> write(connection, "again")))
                .isEqualTo(Decision.COMMIT);
        assertThat(business()).containsExactly("m");
    }

    @Test
    void whatTheWorkRollsBackLeavesNothingAndIsRolledBackForTheCheck() throws Exception {
        Decision decision = outcomes.execute("m", connection -> {
            write(connection, "m");
            return Decision.ROLLBACK;
        });

        assertThat(decision).isEqualTo(Decision.ROLLBACK);
        assertThat(business()).isEmpty();
        assertThat(check("m")).isEqualTo(Decision.ROLLBACK);
    }

    @Test
    void whatTheWorkThrowsComesBackAsItIs() throws Exception {
        IllegalStateException declined = new IllegalStateException("declined");

        assertThatThrownBy(() -> outcomes.execute("m", connection -> {
                    write(connection, "m");
                    throw declined;
                }))
                .isSameAs(declined);
        assertThatThrownBy(() -> outcomes.execute("n", connection -> {
                    write(connection, "n");
                    throw new StackOverflowError();
                }))
                .isInstanceOf(StackOverflowError.class);
        assertThat(business()).isEmpty();
        assertThat(check("m")).isEqualTo(Decision.ROLLBACK);
    }

    @Test
    void aCommitThatComesAfterACheckIsRefusedByTheKey() throws Exception {
        assertThat(check("m")).isEqualTo(Decision.ROLLBACK);

        RolledBackByCheckException late = catchThrowableOfType(
                RolledBackByCheckException.class, () -> outcomes.execute("m", connection -> write(connection, "m")));
        assertThat(late.messageId()).isEqualTo("m");
        assertThat(late.decision()).isEqualTo(Decision.ROLLBACK);
        assertThat(late).hasMessageContaining("a check by the broker had decided ROLLBACK");
        assertThat(business()).isEmpty();
        assertThat(check("m")).isEqualTo(Decision.ROLLBACK);
    }

    @Test
    void aCheckWhileTheTransactionRunsIsUnknownNeverRolledBack() throws Exception {
        for (int isolation : isolations()) {
            String id = "m" + isolation;
            OutcomeTable isolated = OutcomeTable.in(isolated(isolation), 1);
            CountDownLatch working = new CountDownLatch(1);
            CountDownLatch checked = new CountDownLatch(1);
            Future<Decision> executed = threads.submit(() -> isolated.execute(id, connection -> {
                write(connection, id);
                working.countDown();
                checked.await();
                return Decision.COMMIT;
            }));
            working.await();

            assertThat(isolated.check(id, Instant.now())).isEqualTo(Decision.UNKNOWN);

            checked.countDown();
            assertThat(executed.get()).isEqualTo(Decision.COMMIT);
            assertThat(isolated.check(id, Instant.now())).isEqualTo(Decision.COMMIT);
        }
        assertThat(business()).hasSize(isolations().length);
    }

    @Test
    void aCheckLeavesTheIsolationLevelAsItWas() throws Exception {
        int level = Connection.TRANSACTION_READ_UNCOMMITTED;
        DataSource kept = Wrapped.perThread(isolated(level), opened);
        OutcomeTable isolated = OutcomeTable.in(kept);
        assertThat(isolated.check("m", Instant.now())).isEqualTo(Decision.ROLLBACK);
        assertThat(isolated.check("m", Instant.now())).isEqualTo(Decision.ROLLBACK);
        assertThat(kept.getConnection().getTransactionIsolation()).isEqualTo(level);
        assertThat(kept.getConnection().getAutoCommit()).isTrue();
    }

    @Test
    void anyIsolationLevelAgrees() throws Exception {
        for (int isolation : isolations()) {
            OutcomeTable isolated = OutcomeTable.in(isolated(isolation));
            String checkedFirst = "c" + isolation;
            assertThat(isolated.check(checkedFirst, Instant.now())).isEqualTo(Decision.ROLLBACK);
            assertThatThrownBy(() -> isolated.execute(checkedFirst, connection -> write(connection, checkedFirst)))
                    .isInstanceOf(RolledBackByCheckException.class);
            String committedFirst = "e" + isolation;
            assertThat(isolated.execute(committedFirst, connection -> write(connection, committedFirst)))
                    .isEqualTo(Decision.COMMIT);
            assertThat(isolated.check(committedFirst, Instant.now())).isEqualTo(Decision.COMMIT);
        }
    }

    /** Both at the same moment, in threads; whatever the database does, its row and the answers agree. */
    @Test
    void executeAndCheckAtTheSameMomentAgree() throws Exception {
        int rounds = 60;
        for (int isolation : isolations()) {
            OutcomeTable isolated = OutcomeTable.in(Wrapped.perThread(isolated(isolation), opened));
            Map<String, List<Decision>> answers = new TreeMap<>();
            for (int round = 0; round < rounds; round++) {
                String id = isolation + "-" + round;
                CyclicBarrier start = new CyclicBarrier(3);
                Callable<Decision> check = () -> {
                    start.await();
                    return isolated.check(id, Instant.now());
                };
                Future<Decision> one = threads.submit(check);
                Future<Decision> two = threads.submit(check);
                Future<Decision> executed = threads.submit(() -> {
                    start.await();
                    try {
                        return isolated.execute(id, connection -> write(connection, id));
                    } catch (LocalTransactionException e) {
                        return e.decision();
                    }
                });
                answers.put(id, List.of(executed.get(), one.get(), two.get()));
            }
            List<String> committed = business();
            for (Map.Entry<String, List<Decision>> entry : answers.entrySet()) {
                Decision stands = isolated.check(entry.getKey(), Instant.now());
                assertThat(stands == Decision.COMMIT)
                        .as("%s %s", entry, stands)
                        .isEqualTo(committed.contains(entry.getKey()));
                assertThat(entry.getValue()).as("answers, %s stands", stands).isSubsetOf(stands, Decision.UNKNOWN);
                assertThat(stands).isNotEqualTo(Decision.UNKNOWN);
            }
        }
    }

    @Test
    void aCommitWhoseAnswerIsLostIsUnknownUntilTheCheckReads() throws Exception {
        for (boolean committed : new boolean[] {true, false}) {
            String id = "lost-" + committed;
            OutcomeTable losing = OutcomeTable.in(Wrapped.instead(source, (connection, method, arguments) -> {
                if (method.getName().equals("commit")) {
                    if (committed) {
                        connection.commit();
                    } else {
                        connection.rollback();
                    }
                    throw new SQLException("connection reset", "08006");
                }
                return Wrapped.call(connection, method, arguments);
            }));

            LocalTransactionException unknown = catchThrowableOfType(
                    LocalTransactionException.class, () -> losing.execute(id, connection -> write(connection, id)));

            assertThat(unknown.decision()).isEqualTo(Decision.UNKNOWN);
            assertThat(check(id)).isEqualTo(committed ? Decision.COMMIT : Decision.ROLLBACK);
            assertThat(business().contains(id)).isEqualTo(committed);
        }
    }

    @Test
    void aCheckWhoseCommitFailsAnswersNothing() throws Exception {
        OutcomeTable losing = OutcomeTable.in(Wrapped.instead(source, (connection, method, arguments) -> {
            if (method.getName().equals("commit")) {
                connection.rollback();
                throw new SQLException("connection reset", "08006");
            }
            return Wrapped.call(connection, method, arguments);
        }));

        assertThatThrownBy(() -> losing.check("m", Instant.now())).isInstanceOf(SQLException.class);
        assertThat(outcomes.execute("m", connection -> write(connection, "m"))).isEqualTo(Decision.COMMIT);
    }

    /** A failed statement ends a transaction of PostgreSQL, and the commit that follows rolls it back. */
    @Test
    void aSwallowedFailureNeverBecomesACommitWithoutARow() throws Exception {
        Decision decision;
        try {
            decision = outcomes.execute("m", connection -> {
                write(connection, "m");
                try {
                    write(connection, "x".repeat(200));
                    connection.createStatement().execute("insert into nowhere values (1)");
                } catch (SQLException swallowed) {
                    // as applications do
                }
                return Decision.COMMIT;
            });
        } catch (LocalTransactionException e) {
            decision = e.decision();
        }
        assertThat(check("m")).isEqualTo(decision);
        assertThat(business().contains("m")).isEqualTo(decision == Decision.COMMIT);
    }

    @Test
    void workThatEndsTheTransactionItselfIsFoundOut() throws Exception {
        LocalTransactionException committed = catchThrowableOfType(
                LocalTransactionException.class,
                () -> outcomes.execute("m", connection -> {
                    write(connection, "m");
                    connection.commit();
                    throw new IllegalStateException("and then this");
                }));
        assertThat(committed.decision()).isEqualTo(Decision.COMMIT);
        assertThat(committed).hasCauseInstanceOf(IllegalStateException.class);
        assertThat(check("m")).isEqualTo(Decision.COMMIT);

        LocalTransactionException rolledBack = catchThrowableOfType(
                LocalTransactionException.class,
                () -> outcomes.execute("n", connection -> {
                    connection.rollback();
                    return write(connection, "n");
                }));
        assertThat(rolledBack.decision()).isEqualTo(Decision.ROLLBACK);
        assertThat(check("n")).isEqualTo(Decision.ROLLBACK);
        assertThat(business()).containsExactly("m");
    }

    @Test
    void inATransactionOfTheApplicationsOwn() throws Exception {
        assertThat(check("late")).isEqualTo(Decision.ROLLBACK);
        try (Connection connection = source.getConnection()) {
            connection.setAutoCommit(false);
            assertThat(outcomes.insertCommitted(connection, "m")).isTrue();
            write(connection, "m");
            connection.commit();
            assertThat(outcomes.insertCommitted(connection, "m")).isFalse();
            write(connection, "the transaction can go on");
            assertThatThrownBy(() -> outcomes.insertCommitted(connection, "late"))
                    .isInstanceOf(RolledBackByCheckException.class);
            connection.rollback();
        }
        assertThat(check("m")).isEqualTo(Decision.COMMIT);
        assertThat(business()).containsExactly("m");
    }

    @Test
    void idsThatDifferByCaseAreDifferent() throws Exception {
        outcomes.execute("7f00A", connection -> write(connection, "upper"));
        assertThat(check("7f00a")).isEqualTo(Decision.ROLLBACK);
        assertThat(check("7f00A")).isEqualTo(Decision.COMMIT);
    }

    @Test
    void anIdThatDoesNotFitIsRefused() {
        assertThatThrownBy(() -> check("i".repeat(256)))
                .isInstanceOf(WaybillException.class)
                .hasMessageContaining("1 to 255 characters")
                .hasMessageContaining("256");
        assertThatThrownBy(() -> check("waybill.purged")).isInstanceOf(WaybillException.class);
        assertThatThrownBy(() -> ProcessOnce.in(source, "")).isInstanceOf(WaybillException.class);
    }

    /** The longest of both columns together fit the key of every database. */
    @Test
    void theLongestIdFits() throws Exception {
        String id = "\u00e4".repeat(255);
        assertThat(check(id)).isEqualTo(Decision.ROLLBACK);
        assertThat(ProcessOnce.in(source, "g".repeat(255))
                        .process(Delivered.message(id), (c, m) -> ConsumeResult.SUCCESS))
                .isEqualTo(ConsumeResult.SUCCESS);
    }

    @Test
    void outcomesAreRemovedInStepsAndNeverTakenForThoseThatNeverWere() throws Exception {
        for (int i = 0; i < 5; i++) {
            String id = "old" + i;
            outcomes.execute(id, connection -> write(connection, id));
        }
        execute("update waybill_outcome set decided_at_seconds = decided_at_seconds - 864000"); // ten days
        outcomes.execute("new", connection -> write(connection, "new"));
        Instant then = Instant.now().minus(Duration.ofDays(10));

        assertThat(outcomes.purge(Duration.ofDays(11), 3)).isZero();
        assertThat(outcomes.check("never was", then)).isEqualTo(Decision.ROLLBACK);
        assertThat(outcomes.purge(Duration.ofDays(7), 3)).isEqualTo(3);
        assertThat(outcomes.purge(Duration.ofDays(7), 3)).isEqualTo(2);
        assertThat(outcomes.purge(Duration.ofDays(7), 3)).isZero();
        assertThat(outcomes.purge(Duration.ofDays(9), 3)).isZero(); // does not forget how far it came

        assertThat(outcomes.check("old1", then)).isEqualTo(Decision.UNKNOWN);
        assertThat(outcomes.check("old1", Instant.now().minus(Duration.ofDays(7))))
                .isEqualTo(Decision.UNKNOWN);
        assertThat(outcomes.check("yesterday", Instant.now().minus(Duration.ofDays(1))))
                .isEqualTo(Decision.ROLLBACK);
        assertThat(check("new")).isEqualTo(Decision.COMMIT);
        assertThatThrownBy(() -> outcomes.purge(Duration.ofMinutes(59), 3))
                .hasMessageContaining("PT1H")
                .hasMessageContaining("PT59M");
        assertThatThrownBy(() -> outcomes.purge(Duration.ofDays(7), 0)).hasMessageContaining("1 to 100000");
    }

    @Test
    void aConnectionComesBackAsItWas() throws Exception {
        try (Connection only = source.getConnection()) {
            DataSource pool = Wrapped.instead(
                    Wrapped.only(only),
                    (connection, method, arguments) ->
                            method.getName().equals("close") ? null : Wrapped.call(connection, method, arguments));
            OutcomeTable pooled = OutcomeTable.in(pool);
            String before = lockWait(only);
            pooled.execute("m", connection -> write(connection, "m"));
            pooled.check("m", Instant.now());
            pooled.check("n", Instant.now());
            assertThatThrownBy(() -> pooled.execute("n", connection -> Decision.COMMIT));
            ProcessOnce.in(pool, "g").process(Delivered.message("m"), (c, m) -> ConsumeResult.RETRY_LATER);
            assertThat(only.getAutoCommit()).isTrue();
            assertThat(lockWait(only)).isEqualTo(before);

            only.setAutoCommit(false);
            pooled.execute("o", connection -> write(connection, "o"));
            pooled.check("p", Instant.now());
            assertThat(only.getAutoCommit()).isFalse();
            only.rollback();
        }
        assertThat(check("o")).isEqualTo(Decision.COMMIT);
        assertThat(check("p")).isEqualTo(Decision.ROLLBACK);
    }

    @Test
    void aMessageThatComesAgainHasNoSecondEffect() throws Exception {
        ProcessOnce once = ProcessOnce.in(source, "billing");
        AtomicInteger calls = new AtomicInteger();
        JdbcMessageHandler handler = (connection, message) -> {
            write(connection, message.messageId() + " " + calls.incrementAndGet());
            return calls.get() == 1 ? ConsumeResult.RETRY_LATER : calls.get() == 2 ? null : ConsumeResult.SUCCESS;
        };

        assertThat(once.handler(handler).handle(Delivered.message("m"))).isEqualTo(ConsumeResult.RETRY_LATER);
        assertThat(once.handler(handler).handle(Delivered.message("m"))).isNull();
        assertThat(once.handler(handler).handle(Delivered.message("m"))).isEqualTo(ConsumeResult.SUCCESS);
        assertThat(once.handler(handler).handle(Delivered.message("m"))).isEqualTo(ConsumeResult.SUCCESS);
        assertThat(business()).containsExactly("m 3");

        ProcessOnce.in(source, "audit").process(Delivered.message("m"), handler);
        assertThat(business()).containsExactly("m 3", "m 4");
        assertThatThrownBy(() -> once.process(Delivered.message("n"), (connection, message) -> {
                    write(connection, "n");
                    throw new IllegalArgumentException("not now");
                }))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(business()).hasSize(2);
    }

    @Test
    void twoMembersWithOneMessageHaveOneEffect() throws Exception {
        for (int isolation : isolations()) {
            ProcessOnce once = ProcessOnce.in(Wrapped.perThread(isolated(isolation), opened), "billing");
            String id = "m" + isolation;
            for (int round = 0; round < 30; round++) {
                CyclicBarrier start = new CyclicBarrier(2);
                Callable<ConsumeResult> member = () -> {
                    start.await();
                    try {
                        return once.process(Delivered.message(id), (connection, message) -> {
                            write(connection, id);
                            return ConsumeResult.SUCCESS;
                        });
                    } catch (SQLException givenWay) {
                        return ConsumeResult.RETRY_LATER;
                    }
                };
                Future<ConsumeResult> one = threads.submit(member);
                Future<ConsumeResult> two = threads.submit(member);
                one.get();
                two.get();
            }
            assertThat(once.process(Delivered.message(id), (c, m) -> ConsumeResult.RETRY_LATER))
                    .isEqualTo(ConsumeResult.SUCCESS);
            assertThat(business()).containsOnlyOnce(id);
        }
    }

    @Test
    void aHandlerWhoseTransactionIsGoneIsNotDone() throws Exception {
        ProcessOnce once = ProcessOnce.in(source, "billing");
        assertThatThrownBy(() -> once.process(Delivered.message("m"), (connection, message) -> {
                    connection.rollback();
                    write(connection, "m");
                    return ConsumeResult.SUCCESS;
                }))
                .isInstanceOf(SQLException.class);
        assertThat(business()).isEmpty();
    }

    @Test
    void notesAreRemovedInSteps() throws Exception {
        ProcessOnce once = ProcessOnce.in(source, "billing");
        for (int i = 0; i < 5; i++) {
            once.process(Delivered.message("old" + i), (c, m) -> ConsumeResult.SUCCESS);
        }
        execute("update waybill_processed set processed_at_seconds = processed_at_seconds - 864000");
        once.process(Delivered.message("new"), (c, m) -> ConsumeResult.SUCCESS);

        assertThat(once.purge(Duration.ofDays(7), 3)).isEqualTo(3);
        assertThat(once.purge(Duration.ofDays(7), 3)).isEqualTo(2);
        assertThat(once.process(Delivered.message("new"), (c, m) -> ConsumeResult.REJECT))
                .isEqualTo(ConsumeResult.SUCCESS);
        assertThat(once.process(Delivered.message("old1"), (c, m) -> ConsumeResult.REJECT))
                .isEqualTo(ConsumeResult.REJECT);
    }

    private Decision check(String id) throws SQLException {
        return outcomes.check(id, Instant.now());
    }

    /** Those the database has. */
    private int[] isolations() {
        return dialect() == Dialect.SQLITE ? new int[] {Connection.TRANSACTION_SERIALIZABLE} : ISOLATIONS;
    }

    private DataSource isolated(int isolation) {
        return Wrapped.each(source, connection -> connection.setTransactionIsolation(isolation));
    }

    private static Decision write(Connection connection, String note) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("insert into business (message_id) values (?)")) {
            insert.setString(1, note);
            insert.executeUpdate();
        }
        return Decision.COMMIT;
    }

    private List<String> business() throws SQLException {
        List<String> notes = new ArrayList<>();
        try (Connection connection = source.getConnection();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("select message_id from business order by message_id")) {
            while (rows.next()) {
                notes.add(rows.getString(1));
            }
        }
        return notes;
    }

    private void execute(String sql) throws SQLException {
        try (Connection connection = source.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    static String ask(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getString(1);
        }
    }
}
