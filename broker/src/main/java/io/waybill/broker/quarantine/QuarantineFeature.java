/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.offset.Offsets;
import io.waybill.broker.pull.DeliveryInterceptor;
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.retry.ConsumeFailureHandler;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import io.waybill.store.Store;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** The quarantine of failing keys, wired: what pulls, sends and operators use of it, and its duty. */
public final class QuarantineFeature implements Duty {
    private final Quarantine quarantine;
    private final QuarantineRouter router;
    private final OrderedFailures failures;
    private final QuarantineRelease release;
    private final QuarantineRequests requests;
    private volatile DutyHandle self;

    /**
     * @param blocking for reads of old messages
     * @param operator for the requests of operators
     */
    public QuarantineFeature(
            Store store,
            Topics topics,
            Offsets offsets,
            Predicate<String> groupExists,
            Rules rules,
            Clock clock,
            Executor blocking,
            Executor operator) {
        quarantine = new Quarantine(store, topics, rules, blocking);
        router = new QuarantineRouter(quarantine, store, topics, clock, this::wake);
        failures = new OrderedFailures(quarantine, store, offsets, clock, blocking, this::wake);
        release = new QuarantineRelease(quarantine, store, topics, offsets, clock, blocking, this::wake);
        requests = new QuarantineRequests(quarantine, release, store, groupExists, operator);
    }

    public void register(Routes routes) {
        requests.register(routes);
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

    /** Sets the hold on this duty; once, before the first request. */
    public void startedAs(DutyHandle handle) {
        self = handle;
    }

    private void wake() {
        DutyHandle handle = self;
        if (handle != null) {
            handle.wake();
        }
    }

    @Override
    public String roleName() {
        return "broker-quarantine";
    }

    @Override
    public long run() {
        long untilAnswer = failures.answerDue();
        return Math.min(untilAnswer, release.endConsumed());
    }
}
