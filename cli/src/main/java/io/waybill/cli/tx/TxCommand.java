/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.tx;

import io.waybill.cli.terminal.Cluster;
import io.waybill.cli.terminal.ClusterCommand;
import io.waybill.cli.terminal.Confirmation;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Times;
import io.waybill.client.Admin;
import io.waybill.client.Decision;
import io.waybill.client.TransactionInspector.Check;
import io.waybill.client.TransactionInspector.Conflict;
import io.waybill.client.TransactionInspector.Details;
import io.waybill.client.TransactionInspector.Query;
import io.waybill.client.TransactionInspector.TransactionState;
import io.waybill.client.WaybillClient;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Transactions.
 *
 * <p>A transaction lives at the one broker that stored its half message, and its handle is a position in that broker's
 * log (ADR 0005). Users know only the message id, so every command that names one asks the brokers in turn.
 */
@Command(
        name = "tx",
        description = "Shows transactions that wait for a decision, and decides them by hand.",
        footer = {"", "Example: waybill tx list"},
        subcommands = {
            TxCommand.ListOpen.class,
            TxCommand.Show.class,
            TxCommand.Commit.class,
            TxCommand.Rollback.class,
            TxCommand.Resume.class,
            TxCommand.Publish.class
        })
public final class TxCommand implements Callable<Integer> {

    @Override
    public Integer call() {
        throw new Failure(
                ExitCode.USAGE,
                "say what to do: list, show, commit, rollback, resume or publish; see waybill tx --help");
    }

    private static Map<String, Object> row(TransactionState state) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("messageId", state.messageId());
        row.put("stage", state.stage().toString());
        row.put("topic", state.topic());
        row.put("producerGroup", state.producerGroup());
        row.put("keys", state.keys());
        row.put("stored", state.storedAt());
        row.put("checks", state.checks());
        row.put("nextCheck", state.nextCheck());
        return row;
    }

    private static Map<String, Object> all(TransactionState state) {
        Map<String, Object> row = row(state);
        row.put("broker", state.broker());
        row.put("decided", state.decidedAt());
        row.put("decidedBy", state.decidedBy());
        return row;
    }

    private static Map<String, Object> row(Check check) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("check", check.number());
        row.put("at", check.at());
        row.put("client", check.client());
        row.put("why", check.why());
        row.put("answer", check.answer());
        return row;
    }

    private static Map<String, Object> row(Conflict conflict) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("messageId", conflict.messageId());
        row.put("topic", conflict.topic());
        row.put("producerGroup", conflict.producerGroup());
        row.put("decided", conflict.decided().toString());
        row.put("decidedAt", conflict.decidedAt());
        row.put("decidedBy", conflict.decidedBy());
        row.put("late", conflict.late().toString());
        row.put("lateAt", conflict.lateAt());
        row.put("lateBy", conflict.lateBy());
        row.put("published", conflict.publishedAt());
        row.put("publishedBy", conflict.publishedBy());
        return row;
    }

    private static Map<String, Object> all(Details details) {
        Map<String, Object> row = all(details.state());
        row.put("sender", details.sender());
        row.put("published", details.publishedAt());
        row.put("publishedBy", details.publishedBy());
        return row;
    }

    private static TransactionState find(Admin admin, String id) {
        return admin.transactions().find(id).map(Details::state).orElseThrow(() -> unknown(id));
    }

    /** A rolled back transaction is known only as long as the log reaches back to its handle (ADR 0005). */
    private static Failure unknown(String id) {
        return new Failure(
                ExitCode.NOT_FOUND,
                "no transaction with the id " + id + ", or it was rolled back long ago;"
                        + " waybill tx list shows those that are open");
    }

    @Command(
            name = "list",
            description = "Lists open transactions, oldest first; or decisions that came too late, newest last.",
            footer = {
                "",
                "Example: waybill tx list --max 20 -o json",
                "         waybill tx list --topic orders --older-than 10m",
                "         waybill tx list --conflicts"
            })
    static final class ListOpen implements Callable<Integer> {
        @Option(
                names = "--conflicts",
                description = "Decisions that came too late, so that service and queue disagree;"
                        + " ages count from the late decision.")
        private boolean conflicts;

        @Option(names = "--topic", paramLabel = "TOPIC", description = "Only of this topic.")
        private String topic;

        @Option(names = "--producer", paramLabel = "GROUP", description = "Only of this producer group.")
        private String producer;

        @Option(names = "--older-than", paramLabel = "DURATION", description = "Only those that wait at least so long.")
        private String olderThan;

        @Option(
                names = "--younger-than",
                paramLabel = "DURATION",
                description = "Only those that wait at most so long.")
        private String youngerThan;

        @Option(
                names = "--max",
                paramLabel = "N",
                defaultValue = "100",
                description = "At most so many (default: ${DEFAULT-VALUE}).")
        private int max;

        @Mixin
        private Cluster cluster;

        @Mixin
        private Output output;

        @Override
        public Integer call() {
            if (max < 1) {
                throw new Failure(ExitCode.USAGE, "--max must be at least 1, was " + max);
            }
            Query query = new Query(
                    topic,
                    producer,
                    Times.durationOption("--older-than", olderThan),
                    Times.durationOption("--younger-than", youngerThan),
                    max);
            try (WaybillClient client = cluster.connect()) {
                List<Map<String, Object>> rows = new ArrayList<>();
                if (conflicts) {
                    client.admin().transactions().conflicts(query).forEach(conflict -> rows.add(row(conflict)));
                } else {
                    client.admin().transactions().list(query).forEach(state -> rows.add(row(state)));
                }
                output.list(rows);
                if (rows.isEmpty()) {
                    output.note(conflicts ? "no decision came too late" : "no open transactions");
                }
                return ExitCode.DONE;
            }
        }
    }

    @Command(
            name = "show",
            description =
                    "Shows one transaction, open or decided, with every check: when, whom, why, what it answered.",
            footer = {"", "Example: waybill tx show 7F0000010A2B18B4AAC21F3C9D5E0000"})
    static final class Show implements Callable<Integer> {
        @Parameters(paramLabel = "ID", description = "Its message id.")
        private String id;

        @Mixin
        private Cluster cluster;

        @Mixin
        private Output output;

        @Override
        public Integer call() {
            try (WaybillClient client = cluster.connect()) {
                Details details = client.admin().transactions().find(id).orElseThrow(() -> unknown(id));
                Map<String, Object> row = all(details);
                List<Map<String, Object>> checks = new ArrayList<>();
                details.checks().forEach(check -> checks.add(row(check)));
                List<Map<String, Object>> conflicts = new ArrayList<>();
                details.conflicts().forEach(conflict -> conflicts.add(row(conflict)));
                if (output.isJson()) {
                    row.put("checkHistory", checks);
                    row.put("conflicts", conflicts);
                    row.put("properties", details.properties());
                    output.one(row);
                } else {
                    output.one(row);
                    output.list(checks);
                    if (!conflicts.isEmpty()) {
                        output.list(conflicts);
                    }
                }
                return ExitCode.DONE;
            }
        }
    }

    /**
     * Deciding one way or the other. The first final decision wins (ADR 0005), so the user is warned that it cannot be
     * undone. The state that was shown before may be out of date when the decision arrives: the broker judges again.
     */
    private abstract static class Decide implements Callable<Integer> {
        @Parameters(paramLabel = "ID", description = "Its message id.")
        private String id;

        @Option(
                names = "--reason",
                paramLabel = "TEXT",
                description = "Recorded with the decision, after your user name.")
        private String reason;

        @Mixin
        private Confirmation confirmation;

        @Mixin
        private Cluster cluster;

        @Mixin
        private Output output;

        abstract Decision decision();

        @Override
        public Integer call() {
            try (WaybillClient client = cluster.connect()) {
                TransactionState state = find(client.admin(), id);
                if (confirmation.dryRun()) {
                    output.one(all(state));
                    output.note("would be decided: " + decision());
                    return ExitCode.DONE;
                }
                confirmation.ask(decision() + " of the transaction " + id + " of " + state.producerGroup() + " in "
                        + state.topic());
                // The client refuses a decision without a reason, which is optional here.
                String operator = System.getProperty("user.name", "?");
                output.one(all(client.admin()
                        .transactions()
                        .decide(id, decision(), reason == null ? "no reason given" : reason, operator)));
                return ExitCode.DONE;
            }
        }
    }

    @Command(
            name = "resume",
            description =
                    "Opens a transaction again that was given up after its last check: the producers are asked anew.",
            footer = {
                "",
                "Example: waybill tx resume 7F0000010A2B18B4AAC21F3C9D5E0000 --reason 'database is back' --yes"
            })
    static final class Resume extends ClusterCommand {
        @Parameters(paramLabel = "ID", description = "Its message id.")
        private String id;

        @Option(names = "--reason", paramLabel = "TEXT", description = "Recorded with it, after your user name.")
        private String reason;

        @Mixin
        private Confirmation confirmation;

        @Override
        protected int run(WaybillClient client) {
            TransactionState state = find(client.admin(), id);
            if (confirmation.dryRun()) {
                output().one(all(state));
                output().note("would be opened again");
                return ExitCode.DONE;
            }
            confirmation.confirm("Opening the transaction " + id + " of " + state.producerGroup() + " again");
            output().one(all(
                    client.admin().transactions().resume(id, reason == null ? "no reason given" : reason, operator())));
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "publish",
            description = {
                "Delivers the message of a transaction that was rolled back after all, once.",
                "For a service that committed after somebody had answered ROLLBACK for it."
            },
            footer = {
                "",
                "Example: waybill tx publish 7F0000010A2B18B4AAC21F3C9D5E0000 --reason 'the order is paid' --yes"
            })
    static final class Publish extends ClusterCommand {
        @Parameters(paramLabel = "ID", description = "Its message id.")
        private String id;

        @Option(
                names = "--reason",
                paramLabel = "TEXT",
                required = true,
                description = "Recorded with it, after your user name.")
        private String reason;

        @Mixin
        private Confirmation confirmation;

        @Override
        protected int run(WaybillClient client) {
            Details details = client.admin().transactions().find(id).orElseThrow(() -> unknown(id));
            if (confirmation.dryRun()) {
                output().one(all(details));
                output().note(
                                details.publishedAt() != null
                                        ? "was published before: nothing would be done"
                                        : details.state().stage() == TransactionState.Stage.ROLLED_BACK
                                                ? "would be delivered"
                                                : "is not rolled back: nothing would be done");
                return ExitCode.DONE;
            }
            confirmation.confirm("Delivering the message " + id + " of "
                    + details.state().producerGroup() + " although it was rolled back");
            client.admin().transactions().publish(id, reason, operator());
            // Asked again, since the answer to publish has the state but not when it was published and by whom.
            output().one(all(client.admin().transactions().find(id).orElseThrow(() -> unknown(id))));
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "commit",
            description = "Makes the message of an open transaction visible.",
            footer = {"", "Example: waybill tx commit 7F0000010A2B18B4AAC21F3C9D5E0000 --reason 'paid by phone' --yes"})
    static final class Commit extends Decide {
        @Override
        Decision decision() {
            return Decision.COMMIT;
        }
    }

    @Command(
            name = "rollback",
            description = "Drops the message of an open transaction.",
            footer = {
                "",
                "Example: waybill tx rollback 7F0000010A2B18B4AAC21F3C9D5E0000 --reason 'order was withdrawn' --yes"
            })
    static final class Rollback extends Decide {
        @Override
        Decision decision() {
            return Decision.ROLLBACK;
        }
    }
}
