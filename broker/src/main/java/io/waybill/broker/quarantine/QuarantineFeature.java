/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.offset.Offsets;
import io.waybill.broker.pull.DeliveryInterceptor;
import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.request.Wakeup;
import io.waybill.broker.retry.ConsumeFailureHandler;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** The quarantine of failing keys, wired: what pulls, sends and operators use of it, and its duty. */
public final class QuarantineFeature implements Feature {
    private final Quarantine quarantine;
    private final QuarantineRouter router;
    private final OrderedFailures failures;
    private final QuarantineRelease release;
    private final QuarantineRequests requests;
    private final Wakeup wakeup = new Wakeup();

    /** @param lanes for reads of old messages */
    public QuarantineFeature(
            QuarantineStoreAccess store,
            Topics topics,
            Offsets offsets,
            Predicate<String> groupExists,
            Rules rules,
            Clock clock,
            Lanes lanes) {
        Executor blocking = lanes.executor(Lane.BLOCKING);
        quarantine = new Quarantine(
                store.queues(),
                store.catalog(),
                store.settlements(),
                store.clock(),
                topics,
                rules,
                blocking,
                wakeup::wake);
        router = new QuarantineRouter(quarantine, store.pops(), store.clock(), topics, clock, wakeup::wake);
        failures = new OrderedFailures(quarantine, store.messages(), offsets, clock, blocking, wakeup::wake);
        release = new QuarantineRelease(
                quarantine, store.queues(), store.settlements(), topics, offsets, clock, blocking, wakeup::wake);
        requests = new QuarantineRequests(quarantine, release, store.queues(), groupExists);
    }

    @Override
    public void routes(Routes routes) {
        requests.routes(routes);
    }

    @Override
    public void duties(BackgroundDuties duties) {
        duties.add(new EndOfQuarantine(), wakeup);
    }

    /** What keeps messages of quarantined keys from pulls. */
    public DeliveryInterceptor interceptor() {
        return router;
    }

    /** What takes messages that ordered consumers give up. */
    public ConsumeFailureHandler failures() {
        return failures;
    }

    /** The quarantine of a key, or null. */
    public Quarantine.Known find(String group, String topic, String key) {
        return quarantine.find(group, topic, key);
    }

    /** See {@link Quarantine#forget}. */
    public void forget(String group, Consumer<String> then) {
        quarantine.forget(group, then);
    }

    private final class EndOfQuarantine implements Duty {
        @Override
        public String roleName() {
            return "broker-quarantine";
        }

        @Override
        public long run() {
            long untilAnswer = failures.answerDue();
            return Math.min(Math.min(untilAnswer, release.endConsumed()), quarantine.doWhatIsLeft());
        }
    }
}
