/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.route;

import io.waybill.broker.request.Wakeup;
import io.waybill.broker.settings.RegistrationSettings;
import io.waybill.broker.topic.TopicPublisher;
import java.util.ArrayList;
import java.util.List;

/**
 * Who waits until the name servers know of a change: they wait for a round of the {@link Registration} that begins after it. It exists before the topics,
 * which publish here, as the registration does after them, because it reads them.
 *
 * <p>What always holds: each is called exactly once; at once when there is no name server, and when the broker has left them. Thread-safe.
 */
public final class PublicationQueue implements TopicPublisher {
    private final boolean hasNameServers;
    private final Wakeup wakeup = new Wakeup();

    /** Guarded by this. */
    private List<Runnable> waiting = new ArrayList<>();

    /** Guarded by this. */
    private boolean isClosed;

    public PublicationQueue(RegistrationSettings settings) {
        this.hasNameServers = !settings.nameServers().isEmpty();
    }

    @Override
    public void publish(Runnable then) {
        if (add(then)) {
            // The duty's thread starts the round: a change is published by the thread that confirms, which has no time
            // for it.
            wakeup.wake();
        } else {
            then.run();
        }
    }

    /** False, and it is not called, when no round comes any more. */
    synchronized boolean add(Runnable then) {
        return !isClosed && hasNameServers && waiting.add(then);
    }

    /** All that wait, for a round that begins now. */
    synchronized List<Runnable> take() {
        List<Runnable> taken = waiting;
        waiting = new ArrayList<>();
        return taken;
    }

    /** No round begins any more; who waited is to be called by the caller. */
    synchronized List<Runnable> close() {
        isClosed = true;
        return take();
    }

    /** Of the duty that starts the rounds. */
    Wakeup wakeup() {
        return wakeup;
    }
}
