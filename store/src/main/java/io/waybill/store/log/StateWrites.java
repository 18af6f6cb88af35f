/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CatalogRecord;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.ConsumerOffsets;
import io.waybill.store.record.ControlRecord;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.DeliveryEvents;
import io.waybill.store.record.PendingReset;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopSteps;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.UniqueKey;
import java.util.ArrayList;
import java.util.List;

/** The changes that are records of offsets, catalog, pop states, deliveries and settlements; see {@link MessageWrites}. */
public final class StateWrites {
    private StateWrites() {}

    public static LogWrite commitOffsets(List<ConsumerOffset> offsets, List<PendingReset> resets, Completion done) {
        List<ControlRecord> records = new ArrayList<>(1 + resets.size());
        if (!offsets.isEmpty() || resets.isEmpty()) {
            records.add(new ConsumerOffsets(-1, List.copyOf(offsets)));
        }
        records.addAll(resets);
        return new WriteRecords(records, done);
    }

    public static LogWrite putCatalog(CatalogKind kind, String name, byte[] value, Completion done) {
        return new WriteRecords(List.of(new CatalogRecord(-1, kind, name, value)), done);
    }

    public static LogWrite pop(List<MessageDraft> visible, List<PopDelta> deltas, Completion done) {
        return new Appends.AndPopSteps(visible, new PopSteps(-1, deltas), done);
    }

    /** Refused on a full disk, as it is for people only. */
    public static LogWrite deliveries(List<DeliveryEvent> events, Completion done) {
        if (events.isEmpty()) {
            throw new IllegalArgumentException("a record of deliveries needs an event");
        }
        return new WriteRecords(
                WriteRecords.Precondition.NONE, List.of(new DeliveryEvents(-1, List.copyOf(events))), false, done);
    }

    public static LogWrite settle(List<MessageDraft> copies, List<Settlement> ranges, Completion done) {
        return new Settle(ranges, copies.isEmpty() ? null : pop(copies, List.of(), done), done);
    }

    public static LogWrite settleAsHalf(
            UniqueKey unique,
            MessageDraft message,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            List<Settlement> ranges,
            Completion done) {
        return new Settle(
                ranges, MessageWrites.appendHalf(unique, message, producerGroup, sender, firstCheckMillis, done), done);
    }

    /** Writes records, all or none, whatever is so. */
    public static LogWrite write(List<? extends ControlRecord> records, Completion done) {
        return new WriteRecords(records, done);
    }
}
