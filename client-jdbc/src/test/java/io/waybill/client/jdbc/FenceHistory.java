/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.Decision;
import java.lang.reflect.Method;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Random;
import javax.sql.DataSource;

/**
 * One history of a producer group with two instances, a broker and a database, in one thread, from a seed. The database is real and so is the code that
 * decides; time, network, broker and deaths are simulated. Between any two calls of the decision code to the database time may pass and everything else
 * may happen.
 *
 * <p>The fault model: an instance dies at any such moment and comes back later. A message between broker and instance is late, or lost. The answer to a
 * commit is lost, and the commit has happened, has not happened, or happens later. An instance that answers a check may be stopped in the middle of it
 * for longer than several checks. The broker takes the first decision and asks either instance as long as it has none.
 */
final class FenceHistory {
    /** How the service decides: with the outcome table, or by looking for its own rows. */
    interface Service {
        Decision execute(String messageId, LocalTransaction<Exception> work) throws Exception;

        Decision check(String messageId) throws Exception;
    }

    /** Makes the service on connections that fail as the history wants. */
    interface ServiceOn {
        Service of(DataSource source);
    }

    private static final class Death extends Error {
        private static final long serialVersionUID = 1L;

        Death() {
            super("the process is gone", null, false, false);
        }
    }

    private record Event(long atMillis, long order, Runnable what) {}

    private static final class Instance {
        /** Grows with each death, so that what an earlier life began knows. */
        private int life;

        private boolean alive = true;
    }

    private static final class Sent {
        private final String id;
        private Decision decided = Decision.UNKNOWN;
        private int checks;

        Sent(String id) {
            this.id = id;
        }
    }

    private static final int DEEPEST = 5;
    private static final int MOST_CHECKS = 200;

    private final Random random;
    private final DataSource database;
    private final Service service;
    private final Instance[] instances = {new Instance(), new Instance()};
    private final PriorityQueue<Event> events =
            new PriorityQueue<>(Comparator.comparingLong(Event::atMillis).thenComparingLong(Event::order));
    private final List<Sent> messages = new ArrayList<>();
    private final StringBuilder told = new StringBuilder();
    private long nowMillis;
    private long order;
    private int depth;
    private boolean calm;

    /** Whose code runs now, and in which of its lives it began; null for what nobody's death ends. */
    private Instance running;

    private int runningLife;

    FenceHistory(long seed, DataSource database, ServiceOn service) {
        this.random = new Random(seed);
        this.database = database;
        this.service = service.of(failing(database));
        int count = 1 + random.nextInt(2);
        for (int i = 0; i < count; i++) {
            Sent message = new Sent(seed + "-" + i);
            messages.add(message);
            Instance sender = instances[random.nextInt(2)];
            boolean commits = random.nextInt(4) > 0;
            at(random.nextInt(5_000), () -> send(message, sender, commits));
        }
    }

    /** Runs it to the end; returns what does not agree, with the history that led there, or null. */
    String run() throws SQLException {
        while (!events.isEmpty()) {
            step();
        }
        for (Sent message : messages) {
            boolean inDatabase = isRecorded(message.id);
            boolean inQueue = message.decided == Decision.COMMIT;
            if (message.decided == Decision.UNKNOWN || inDatabase != inQueue) {
                return "message " + message.id + ": database " + (inDatabase ? "committed" : "nothing") + ", queue "
                        + message.decided + "\n" + told;
            }
        }
        return null;
    }

    private void send(Sent message, Instance sender, boolean commits) {
        if (!sender.alive) {
            message.decided = Decision.ROLLBACK; // never stored
            return;
        }
        tell(message, "stored");
        at(1_000 + random.nextInt(3_000), () -> ask(message));
        long slowMillis = random.nextInt(4) == 0 ? random.nextInt(20_000) : random.nextInt(800);
        int life = sender.life;
        at(
                random.nextInt(random.nextInt(4) == 0 ? 8_000 : 50),
                () -> as(sender, life, () -> {
                    Decision decision;
                    try {
                        decision = service.execute(message.id, connection -> {
                            record(connection, message.id);
                            pass(slowMillis);
                            if (random.nextInt(12) == 0) {
                                throw new IllegalStateException("declined");
                            }
                            return commits ? Decision.COMMIT : Decision.ROLLBACK;
                        });
                    } catch (LocalTransactionException e) {
                        decision = e.decision();
                    } catch (Exception e) {
                        decision = Decision.UNKNOWN;
                    }
                    tell(message, "executed " + decision);
                    answer(message, decision);
                }));
    }

    /** The broker's side of a check: any instance that is there, again and again until it has a decision. */
    private void ask(Sent message) {
        if (message.decided != Decision.UNKNOWN) {
            return;
        }
        calm |= ++message.checks > 20; // from now on nothing fails, so that every history ends
        if (message.checks > MOST_CHECKS) {
            return;
        }
        Instance asked = instances[random.nextInt(2)];
        if (asked.alive) {
            int life = asked.life;
            at(
                    delay(),
                    () -> as(asked, life, () -> {
                        Decision decision;
                        try {
                            decision = service.check(message.id);
                        } catch (Exception e) {
                            decision = Decision.UNKNOWN;
                        }
                        tell(message, "checked " + decision);
                        answer(message, decision);
                    }));
        }
        at(1_000 + random.nextInt(2_000), () -> ask(message));
    }

    private void answer(Sent message, Decision decision) {
        if (decision == Decision.UNKNOWN || !calm && random.nextInt(8) == 0) {
            return; // or lost on the way
        }
        at(delay(), () -> {
            if (message.decided == Decision.UNKNOWN) {
                message.decided = decision;
                tell(message, "decided " + decision);
            } else if (message.decided != decision) {
                tell(message, "refused as late " + decision);
            }
        });
    }

    /** A way between two processes. */
    private int delay() {
        return random.nextInt(!calm && random.nextInt(6) == 0 ? 10_000 : 20);
    }

    private void as(Instance instance, int life, Runnable what) {
        Instance before = running;
        int lifeBefore = runningLife;
        running = instance;
        runningLife = life;
        try {
            if (instance.alive && instance.life == life) {
                what.run();
            }
        } catch (Death death) {
            told.append(nowMillis).append(" an instance died\n");
        } finally {
            running = before;
            runningLife = lifeBefore;
        }
    }

    /** Time passes in the middle of what an instance does; others go on meanwhile. The instance may die of it. */
    private void pass(long millis) {
        long end = nowMillis + millis;
        depth++;
        try {
            while (depth < DEEPEST && !events.isEmpty() && events.peek().atMillis() <= end) {
                step();
            }
        } finally {
            depth--;
        }
        nowMillis = Math.max(nowMillis, end);
        if (running != null) {
            if (!calm && running.life == runningLife && random.nextInt(60) == 0) {
                Instance dying = running;
                dying.life++;
                dying.alive = false;
                at(random.nextInt(4_000), () -> dying.alive = true);
            }
            if (running.life != runningLife) {
                throw new Death();
            }
        }
    }

    private void step() {
        Event next = events.poll();
        nowMillis = Math.max(nowMillis, next.atMillis());
        Instance before = running;
        int lifeBefore = runningLife;
        running = null;
        try {
            next.what().run();
        } finally {
            running = before;
            runningLife = lifeBefore;
        }
    }

    private void at(long inMillis, Runnable what) {
        events.add(new Event(nowMillis + inMillis, order++, what));
    }

    /** Connections of an instance: time passes before each call that reaches the database, and the answer to a commit may be lost. */
    private DataSource failing(DataSource real) {
        return Wrapped.around(real, connection -> new Wrapped.Instead() {
            private boolean lost;

            @Override
            public Object call(Connection target, Method method, Object[] arguments) throws Exception {
                switch (method.getName()) {
                    case "commit" -> {
                        moment();
                        if (lost) {
                            throw new SQLException("no connection", "08003");
                        }
                        if (!calm && random.nextInt(10) == 0) {
                            lost = true;
                            loseCommit(target);
                            throw new SQLException("connection reset", "08006");
                        }
                        target.commit();
                        moment();
                        return null;
                    }
                    case "prepareStatement" -> {
                        moment();
                        if (lost) {
                            throw new SQLException("no connection", "08003");
                        }
                    }
                    case "rollback", "setAutoCommit" -> {
                        if (lost) {
                            throw new SQLException("no connection", "08003");
                        }
                    }
                    case "abort", "close" -> {
                        if (lost) {
                            return null; // the database has its end of it still
                        }
                    }
                    default -> {}
                }
                return Wrapped.call(target, method, arguments);
            }
        });
    }

    private void moment() {
        if (random.nextInt(3) == 0) {
            pass(random.nextInt(!calm && random.nextInt(10) == 0 ? 15_000 : 10));
        }
    }

    private void loseCommit(Connection target) {
        boolean happens = random.nextBoolean();
        Runnable end = () -> {
            try {
                if (happens) {
                    target.commit();
                } else {
                    target.rollback();
                }
                target.close();
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
        };
        if (random.nextBoolean()) {
            end.run();
        } else {
            at(random.nextInt(10_000), end);
        }
    }

    private void tell(Sent message, String what) {
        told.append(nowMillis)
                .append(' ')
                .append(message.id)
                .append(' ')
                .append(what)
                .append('\n');
    }

    static void record(Connection connection, String messageId) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("insert into business (message_id) values (?)")) {
            insert.setString(1, messageId);
            insert.executeUpdate();
        }
    }

    static boolean isRecorded(Connection connection, String messageId) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("select 1 from business where message_id = ?")) {
            query.setString(1, messageId);
            try (ResultSet row = query.executeQuery()) {
                return row.next();
            }
        }
    }

    private boolean isRecorded(String messageId) throws SQLException {
        try (Connection connection = database.getConnection()) {
            return isRecorded(connection, messageId);
        }
    }
}
