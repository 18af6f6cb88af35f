/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.embedded;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;

/** What a consumer received, in the order of arrival. */
public class TestInbox<M> {
    private final ConcurrentLinkedQueue<M> messages = new ConcurrentLinkedQueue<>();

    protected final void keep(M message) {
        messages.add(message);
    }

    public final List<M> messages() {
        return List.copyOf(messages);
    }

    public final void awaitCount(int count) {
        awaitCount(count, TestClients.LIMIT);
    }

    public final void awaitCount(int count, Duration limit) {
        TestClients.await(count + " messages", limit, () -> messages.size() >= count);
    }
}
