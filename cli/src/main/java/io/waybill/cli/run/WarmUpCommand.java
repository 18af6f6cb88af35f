/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.run;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.PullConsumer;
import io.waybill.client.WaybillClient;
import io.waybill.server.EmbeddedBroker;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Does a little of everything, so that the JVM learns which classes an archive should hold. bin/waybill calls it. */
@Command(name = "warm-up", hidden = true, description = "Starts a server, sends, consumes, ends.")
public final class WarmUpCommand implements Callable<Integer> {
    @Override
    public Integer call() {
        try (EmbeddedBroker broker = EmbeddedBroker.start();
                WaybillClient client = WaybillClient.connect(broker.namesrvAddress())) {
            client.admin().topics().create("warm-up", 4);
            try (Producer producer = client.producer("warm-up").build();
                    PullConsumer consumer =
                            client.pullConsumer("warm-up-reader").build()) {
                producer.send(
                        Message.to("warm-up").key("k").tag("t").body("warm").build());
                consumer.assign("warm-up");
                consumer.poll(Duration.ofSeconds(5));
                consumer.commit();
            }
            client.admin().topics().names();
            client.admin().topics().describe("warm-up");
            client.admin().transactions().list(1);
        }
        return ExitCode.DONE;
    }
}
