/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.StateWrites;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.view.Views;
import java.util.List;

/** What happened to messages on their way to consumers, for people. What always holds: it goes with the part of the log it stands in. */
public final class DeliveryStore {
    private final Views views;
    private final CommitLog log;

    DeliveryStore(Views views, CommitLog log) {
        this.views = views;
        this.log = log;
    }

    /** Records what happened to messages; trimmed with the log. */
    public void recordDeliveries(List<DeliveryEvent> entries, Completion done) {
        log.submit(StateWrites.deliveries(entries, done));
    }

    /** What is known of the message at an offset, oldest record first, as long as the log keeps it. */
    public List<DeliveryEvent> deliveriesOf(String topic, int queueId, long offset, int max) {
        return views.deliveries().of(topic, queueId, offset, max);
    }
}
