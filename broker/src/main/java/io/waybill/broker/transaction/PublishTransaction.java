/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Outcomes;
import io.waybill.broker.topic.TopicAttributes;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.ConflictStore;
import io.waybill.store.StoreClock;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.Decision;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.RolledBack;
import io.waybill.store.record.UniqueKey;
import java.nio.ByteBuffer;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Delivers the message of a transaction that was rolled back although its service committed: once, while the log still has it, with who wanted it and
 * why in the record that stands in one frame with the message.
 */
final class PublishTransaction {
    private static final Logger LOG = LoggerFactory.getLogger(PublishTransaction.class);

    private final ConflictStore conflictStore;
    private final StoreClock storeClock;
    private final Topics topics;
    private final TransactionLookup lookup;
    private final TransactionResolver decisions;
    private final Clock clock;

    PublishTransaction(
            ConflictStore conflictStore,
            StoreClock storeClock,
            Topics topics,
            TransactionLookup lookup,
            TransactionResolver decisions,
            Clock clock) {
        this.conflictStore = conflictStore;
        this.storeClock = storeClock;
        this.topics = topics;
        this.lookup = lookup;
        this.decisions = decisions;
        this.clock = clock;
    }

    /** Publishes and answers. May block on the disk. */
    void publish(Request request, String id, String by) {
        TransactionLookup.FoundTransaction found = lookup.find(id, null);
        if (found == null) {
            request.refuse(ResponseCode.SYSTEM_ERROR, "no transaction " + id + " is known here");
        } else if (found.decision() == null) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, "transaction " + id + " is open: commit it instead");
        } else if (found.decision().outcome() == Decision.EXHAUSTED) {
            request.refuse(
                    ResponseCode.ILLEGAL_OPERATION,
                    DecisionText.sentence(found.decision()) + ": resume it, then commit it");
        } else if (found.decision().outcome() != Decision.ROLLBACK) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, DecisionText.sentence(found.decision()));
        } else {
            publish(request, found, by);
        }
    }

    private void publish(Request request, TransactionLookup.FoundTransaction found, String by) {
        long handle = found.handle();
        PublishRecord prior = conflictStore.publicationOf(handle);
        if (prior != null) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, DecisionText.sentence(prior));
            return;
        }
        RolledBack half = conflictStore.rolledBackHalf(handle);
        if (half == null || found.stored() == null) {
            request.refuse(
                    ResponseCode.ILLEGAL_OPERATION,
                    DecisionText.sentence(found.decision()) + ", and its message is no longer kept: send it again");
            return;
        }
        String topic = StoredMessage.topic(found.stored(), 0);
        TopicConfig config = topics.find(topic);
        if (config == null) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, "its topic " + topic + " was deleted");
            return;
        }
        AdminLog.before(request, DecisionText.state(Decision.ROLLBACK));
        UniqueKey unique = claimOf(config, found.stored());
        decisions.publish(
                half, found.stored(), unique, by, outcome -> answer(request, handle, found.stored(), by, outcome));
    }

    /** The key that the rollback set free. */
    private UniqueKey claimOf(TopicConfig topic, ByteBuffer stored) {
        long windowMillis = TopicAttributes.dedupMillis(topic);
        String own = StoredMessage.property(stored, 0, MessageProperties.DEDUP_KEY);
        String key = own == null ? StoredMessage.property(stored, 0, MessageProperties.UNIQ_KEY) : own;
        return windowMillis == 0 || key == null
                ? null
                : new UniqueKey(topic.topicName(), key, storeClock.keyTimeMillis() + windowMillis);
    }

    private void answer(Request request, long handle, ByteBuffer stored, String by, Outcome outcome) {
        if (outcome instanceof Refused refused) {
            request.refuse(
                    ResponseCode.ILLEGAL_OPERATION,
                    refused.prior() instanceof PublishRecord prior ? DecisionText.sentence(prior) : refused.text());
            return;
        }
        if (!(outcome instanceof Stored)) {
            request.refuse(Outcomes.code(outcome), Outcomes.text(outcome));
            return;
        }
        LOG.info("transaction {} that was rolled back is delivered after all by {}", handle, by);
        JsonWriter json = new JsonWriter()
                .beginObject()
                .field("state", DecisionText.state(Decision.ROLLBACK))
                .name("transaction");
        TransactionJson.transaction(json, handle, null, Message.decode(stored, 0), clock.wallMillis());
        TransactionJson.late(json, List.of(), conflictStore.publicationOf(handle));
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(json.endObject().toByteArray())
                .build());
    }
}
