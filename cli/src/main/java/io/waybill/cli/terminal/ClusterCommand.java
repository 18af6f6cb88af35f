/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import io.waybill.client.WaybillClient;
import java.util.concurrent.Callable;
import picocli.CommandLine.Mixin;

/** A command that asks a cluster and shows the answer: connects, runs, closes. */
public abstract class ClusterCommand implements Callable<Integer> {
    @Mixin
    private Cluster cluster;

    @Mixin
    private Output output;

    /** Does the work; returns the exit code. */
    protected abstract int run(WaybillClient client) throws Exception;

    /** Refuses options that contradict each other, before anything is connected. */
    protected void check() {}

    protected final Output output() {
        return output;
    }

    /** Who is recorded as the one who did it. */
    protected static String operator() {
        return System.getProperty("user.name", "?");
    }

    /** @throws Failure of wrong usage if the number is below 1 */
    protected static void atLeastOne(String option, long value) {
        if (value < 1) {
            throw new Failure(ExitCode.USAGE, option + " must be at least 1, was " + value);
        }
    }

    @Override
    public final Integer call() throws Exception {
        check();
        try (WaybillClient client = cluster.connect()) {
            return run(client);
        }
    }
}
