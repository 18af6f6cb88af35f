/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import io.waybill.cli.group.DlqCommand;
import io.waybill.cli.group.DoctorCommand;
import io.waybill.cli.group.GroupCommand;
import io.waybill.cli.group.QuarantineCommand;
import io.waybill.cli.message.ConsumeCommand;
import io.waybill.cli.message.MessageCommand;
import io.waybill.cli.message.ReplayCommand;
import io.waybill.cli.message.SendCommand;
import io.waybill.cli.message.TimerCommand;
import io.waybill.cli.run.BrokerCommand;
import io.waybill.cli.run.DemoCommand;
import io.waybill.cli.run.NamesrvCommand;
import io.waybill.cli.run.ServerCommand;
import io.waybill.cli.run.WarmUpCommand;
import io.waybill.cli.status.StatusCommand;
import io.waybill.cli.store.StoreCommand;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.ReaderGone;
import io.waybill.cli.terminal.StandardOutput;
import io.waybill.cli.topic.TopicCommand;
import io.waybill.cli.tx.TxCommand;
import io.waybill.client.WaybillException;
import java.io.PrintWriter;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The root of all commands. */
@Command(
        name = "waybill",
        description = "A transactional business-message broker that speaks RocketMQ's protocol.",
        footer = {"", "Example: waybill server --data ./data", "Each command has --help with an example."},
        subcommands = {
            DemoCommand.class,
            ServerCommand.class,
            NamesrvCommand.class,
            BrokerCommand.class,
            StatusCommand.class,
            TopicCommand.class,
            SendCommand.class,
            ConsumeCommand.class,
            ReplayCommand.class,
            MessageCommand.class,
            TimerCommand.class,
            GroupCommand.class,
            DoctorCommand.class,
            TxCommand.class,
            DlqCommand.class,
            QuarantineCommand.class,
            StoreCommand.class,
            WarmUpCommand.class,
        })
public final class Main {

    private Main() {}

    public static void main(String[] arguments) {
        StandardOutput output = StandardOutput.install();
        System.exit(output.exitCode(run(arguments)));
    }

    /** Runs one command; returns its exit code. */
    static int run(String... arguments) {
        String garbled = garbled(System.getProperty("sun.jnu.encoding", "UTF-8"), arguments);
        if (garbled != null) {
            System.err.println("waybill: " + garbled);
            return ExitCode.USAGE;
        }
        return commandLine().execute(arguments);
    }

    /**
     * Null, or that arguments did not survive their way into Java: in a locale without UTF-8 it has put a replacement character for each
     * byte it did not know, and what the user typed is lost.
     */
    static String garbled(String encoding, String... arguments) {
        if (encoding.equalsIgnoreCase("UTF-8")) {
            return null;
        }
        for (String argument : arguments) {
            if (argument.indexOf('\uFFFD') >= 0) {
                return "the argument '" + argument + "' cannot be read in this locale, whose encoding is " + encoding
                        + "; set LC_ALL to a locale with UTF-8 that is installed (locale -a lists them), or give the text"
                        + " on standard input";
            }
        }
        return null;
    }

    static CommandLine commandLine() {
        CommandLine line = new CommandLine(new Main());
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setExecutionExceptionHandler(failed());
        line.setParameterExceptionHandler(wrongUsage());
        complete(line);
        return line;
    }

    /** What every help text has, so that no command can forget it. */
    private static void complete(CommandLine line) {
        line.getCommandSpec()
                .mixinStandardHelpOptions(true)
                .version(Build.text())
                .usageMessage()
                .exitCodeListHeading("%nExit codes:%n")
                .exitCodeList(exitCodes())
                .width(100);
        line.getSubcommands().values().forEach(Main::complete);
    }

    private static java.util.Map<String, String> exitCodes() {
        java.util.Map<String, String> codes = new java.util.LinkedHashMap<>();
        for (String text : ExitCode.LINES) {
            codes.put(text.substring(0, 1), text.substring(2));
        }
        return codes;
    }

    private static IExecutionExceptionHandler failed() {
        return (exception, line, parsed) -> {
            String name = line.getCommandSpec().qualifiedName();
            if (ReaderGone.isCauseOf(exception)) {
                return ExitCode.DONE;
            }
            if (exception instanceof Failure failure) {
                line.getErr().println(name + ": " + failure.getMessage());
                return failure.exitCode();
            }
            if (exception instanceof WaybillException refused) {
                line.getErr().println(name + ": " + refused.getMessage());
                return ExitCode.of(refused);
            }
            line.getErr().println(name + ": failed unexpectedly; this is a bug, please report it with these lines");
            exception.printStackTrace(line.getErr());
            return ExitCode.FAILED;
        };
    }

    private static IParameterExceptionHandler wrongUsage() {
        return (exception, arguments) -> {
            CommandLine line = exception.getCommandLine();
            PrintWriter err = line.getErr();
            if (arguments.length == 0) {
                line.usage(err);
                return ExitCode.USAGE;
            }
            err.println(line.getCommandSpec().qualifiedName() + ": " + exception.getMessage());
            if (!UnmatchedArgumentException.printSuggestions(exception, err)) {
                nearestOption(exception).ifPresent(option -> err.println("Did you mean: " + option + "?"));
            }
            err.println(hint(exception, line));
            return ExitCode.USAGE;
        };
    }

    /** The option most like the one that does not exist. */
    private static Optional<String> nearestOption(ParameterException exception) {
        if (!(exception instanceof UnmatchedArgumentException unmatched)
                || !unmatched.getUnmatched().get(0).startsWith("--")) {
            return Optional.empty();
        }
        String wrong = unmatched.getUnmatched().get(0).replaceFirst("=.*", "");
        return exception.getCommandLine().getCommandSpec().optionsMap().keySet().stream()
                .filter(option -> option.startsWith("--") && distance(option, wrong) <= Math.max(2, wrong.length() / 3))
                .min(Comparator.comparingInt(option -> distance(option, wrong)));
    }

    /** How many characters must be typed, removed or changed. */
    private static int distance(String a, String b) {
        int[] row = IntStream.rangeClosed(0, b.length()).toArray();
        for (int i = 1; i <= a.length(); i++) {
            int corner = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int changed = corner + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                corner = row[j];
                row[j] = Math.min(changed, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }

    private static String hint(ParameterException exception, CommandLine line) {
        List<String> children = List.copyOf(line.getSubcommands().keySet());
        String name = line.getCommandSpec().qualifiedName();
        return children.isEmpty() || !(exception instanceof UnmatchedArgumentException)
                ? "Try '" + name + " --help'."
                : "Try '" + name + " --help', or one of: "
                        + String.join(
                                ", ",
                                children.stream()
                                        .filter(c -> !c.equals("warm-up"))
                                        .toList());
    }
}
