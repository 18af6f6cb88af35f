/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.run;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.settings.Setting;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** The settings of the broker, by their own names. */
final class ServerOptions {
    @Spec(Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--host",
            paramLabel = "ADDRESS",
            defaultValue = "127.0.0.1",
            description = "Address to listen on (default: ${DEFAULT-VALUE}: only this machine can connect).")
    private String host;

    @Option(
            names = "--flush",
            paramLabel = "sync|async",
            description =
                    "sync: what is acknowledged survives a power cut; async: the last moments may not (default: sync).")
    private String flush;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "Changes a setting of the broker; repeatable. --list-settings lists them.")
    private List<String> sets = new ArrayList<>();

    @Option(names = "--list-settings", description = "Lists every setting with default and meaning, then ends.")
    private boolean settings;

    boolean listSettings() {
        return settings;
    }

    String host() {
        return host;
    }

    List<Map<String, Object>> settingRows() {
        List<Map<String, Object>> rows = new ArrayList<>();
        for (Setting setting : BrokerSettings.table()) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("key", setting.key());
            row.put("default", setting.defaultValue());
            row.put("meaning", setting.sentence());
            rows.add(row);
        }
        return rows;
    }

    /** The defaults with what was asked for. */
    BrokerSettings settings() {
        BrokerSettings result = with(BrokerSettings.defaults(), "host", host);
        if (flush != null) {
            result = with(result, "flush", flush);
        }
        for (String set : sets) {
            int equals = set.indexOf('=');
            if (equals <= 0) {
                throw new ParameterException(command.commandLine(), "--set needs key=value, got '" + set + "'");
            }
            String key = set.substring(0, equals);
            if (key.equals("host") || key.equals("port")) {
                throw new ParameterException(
                        command.commandLine(), "--set " + key + ": use --host, --broker-port or --port");
            }
            result = with(result, key, set.substring(equals + 1));
        }
        return result;
    }

    private BrokerSettings with(BrokerSettings base, String key, String value) {
        try {
            return base.with(key, value);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command.commandLine(), e.getMessage());
        }
    }

    /** Checks a port and gives it back. */
    static int port(String option, int port) {
        if (port < 0 || port > 65_535) {
            throw new Failure(ExitCode.USAGE, option + " must be 0 (any free one) to 65535, was " + port);
        }
        return port;
    }
}
