/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import io.waybill.protocol.Names;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What a message must be like. Checked before anything is sent, so that a mistake shows where it was made. */
final class MessageChecks {
    private static final Set<String> RESERVED = Set.of(
            "KEYS",
            "TAGS",
            "WAIT",
            "DELAY",
            "RETRY_TOPIC",
            "ORIGIN_GROUP",
            "REAL_TOPIC",
            "REAL_QID",
            "TRAN_MSG",
            "PGROUP",
            "MIN_OFFSET",
            "MAX_OFFSET",
            "BUYER_ID",
            "ORIGIN_MESSAGE_ID",
            "TRANSFER_FLAG",
            "CORRECTION_FLAG",
            "MQ2_FLAG",
            "RECONSUME_TIME",
            "MAX_RECONSUME_TIMES",
            "MSG_REGION",
            "TRACE_ON",
            "UNIQ_KEY",
            "TRANS_OFFSET",
            "EXTEND_UNIQ_INFO",
            "CONSUME_START_TIME",
            "INNER_NUM",
            "INNER_BASE",
            "DUP_INFO",
            "TRAN_PREPARED_QUEUE_OFFSET",
            "__transactionId__",
            "TRANSACTION_CHECK_TIMES",
            "INSTANCE_ID",
            "CLUSTER",
            "POP_CK",
            "POP_CK_OFFSET",
            "1ST_POP_TIME",
            "__SHARDINGKEY",
            "TIMER_DELAY_SEC",
            "TIMER_DELAY_MS",
            "TIMER_DELIVER_MS",
            "TIMER_ENQUEUE_MS",
            "TIMER_DEQUEUE_MS",
            "TIMER_OUT_MS",
            "TIMER_ROLL_TIMES",
            "TIMER_ROLL_LABEL",
            "TIMER_DELAY_LEVEL",
            "TIMER_DEL_UNIQKEY",
            "INNER_MULTI_DISPATCH",
            "INNER_MULTI_QUEUE_OFFSET",
            "__CRC32#",
            "_SYS_MSG_PRIORITY_",
            "WAYBILL_DEDUP_KEY",
            "WAYBILL_UNLESS");

    private MessageChecks() {}

    /** @throws WaybillException of kind INVALID */
    static void check(
            String id,
            String topic,
            String tag,
            List<String> keys,
            byte[] body,
            Map<String, String> properties,
            MessageQueue queue,
            Instant deliverAt,
            Duration deliverAfter) {
        if (id == null || id.isBlank() || hasSeparator(id) || id.indexOf(' ') >= 0) {
            throw wrong("message id", "a text without spaces", id);
        }
        topic(topic);
        if (body == null || body.length == 0 || body.length > Message.MAX_BODY_BYTES) {
            throw wrong(
                    "body",
                    "1 to " + Message.MAX_BODY_BYTES + " bytes",
                    body == null ? "none" : body.length + " bytes");
        }
        if (tag != null && (tag.isBlank() || hasSeparator(tag) || tag.indexOf('|') >= 0 || !tag.equals(tag.strip()))) {
            throw wrong("tag", "a text without | and without spaces at its ends", tag);
        }
        for (String key : keys) {
            if (key.isEmpty() || key.indexOf(' ') >= 0 || hasSeparator(key)) {
                throw wrong("key", "a text without spaces", key);
            }
        }
        properties.forEach(MessageChecks::property);
        if (queue != null && !queue.topic().equals(topic)) {
            throw wrong("queue", "a queue of topic " + topic, queue.toString());
        }
        if (deliverAt != null && deliverAfter != null) {
            throw wrong("delay", "deliverAt or deliverAfter, not both", deliverAt + " and " + deliverAfter);
        }
        if (deliverAfter != null && deliverAfter.isNegative()) {
            throw wrong("deliverAfter", "a duration that is not negative", deliverAfter.toString());
        }
    }

    /** What only Waybill knows, and priority. */
    static void extras(Message.Unless unless, boolean isDelayed, int priority, String dedupKey) {
        if (unless != null) {
            if (!isDelayed) {
                throw wrong("unless", "together with a delay", unless.toString());
            }
            topic(unless.topic());
            String key = unless.key();
            if (key == null || key.isEmpty() || key.indexOf(' ') >= 0 || key.indexOf('|') >= 0 || hasSeparator(key)) {
                throw wrong("key of unless", "a text without spaces and |", key);
            }
            String tag = unless.tag();
            if (tag != null && (tag.isBlank() || tag.indexOf('|') >= 0 || hasSeparator(tag))) {
                throw wrong("tag of unless", "a text without |", tag);
            }
        }
        if (priority < -1) {
            throw wrong("priority", "0 or more", Integer.toString(priority));
        }
        if (dedupKey != null && (dedupKey.isBlank() || hasSeparator(dedupKey))) {
            throw wrong("dedupKey", "a text of at least one character, without control characters", dedupKey);
        }
    }

    private static void property(String name, String value) {
        if (name == null || name.isEmpty() || hasSeparator(name)) {
            throw wrong("property name", "a text without control characters U+0001 and U+0002", name);
        }
        if (RESERVED.contains(name)) {
            throw wrong("property name", "a name the protocol does not use itself", name);
        }
        if (value == null || value.isEmpty() || hasSeparator(value)) {
            throw wrong(
                    "property " + name,
                    "a text of at least one character, without U+0001 and U+0002 (the protocol cannot carry an empty one)",
                    value);
        }
    }

    private static boolean hasSeparator(String text) {
        return text.indexOf('\u0001') >= 0 || text.indexOf('\u0002') >= 0;
    }

    static void topic(String topic) {
        String problem = topic == null ? "topic is missing" : Names.checkTopic(topic);
        if (problem != null) {
            throw invalid(problem, "correct the name");
        }
    }

    private static WaybillException wrong(String field, String limit, String seen) {
        return invalid(field + " must be " + limit + ", but is: " + seen, "correct it before sending");
    }

    private static WaybillException invalid(String what, String advice) {
        return new WaybillException(WaybillException.Kind.INVALID, -1, false, what, advice, null);
    }
}
