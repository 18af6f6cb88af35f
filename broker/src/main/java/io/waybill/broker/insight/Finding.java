/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.protocol.json.JsonWriter;
import java.util.LinkedHashMap;
import java.util.Map;

/** One cause with its evidence. Built in one thread; members that are not set are left out of the answer. */
final class Finding {
    private final Cause cause;
    private final String topic;
    private final Map<String, Object> evidence = new LinkedHashMap<>();
    private int queueId = -1;
    private long offset = -1;
    private String offsetId;
    private String uniqueKey;
    private String sentence = "";
    private String advice;

    /** @param topic null when it concerns the group as a whole */
    Finding(Cause cause, String topic) {
        this.cause = cause;
        this.topic = topic;
    }

    /** About one copy of a message. */
    static Finding on(Cause cause, StoredCopy copy) {
        Finding finding = new Finding(cause, copy.topic()).about(copy);
        return copy.isVisible() ? finding.at(copy.queueId(), copy.offset()) : finding;
    }

    Finding at(int queue, long queueOffset) {
        queueId = queue;
        offset = queueOffset;
        return this;
    }

    Finding about(StoredCopy copy) {
        offsetId = copy.offsetId();
        uniqueKey = copy.uniqueKey();
        return this;
    }

    Finding says(String text) {
        sentence = text;
        return this;
    }

    Finding advises(String text) {
        advice = text;
        return this;
    }

    /** A fact: a text or a number; null is left out. */
    Finding fact(String name, Object value) {
        if (value != null) {
            evidence.put(name, value);
        }
        return this;
    }

    Cause cause() {
        return cause;
    }

    String topic() {
        return topic;
    }

    void write(JsonWriter json) {
        json.beginObject().field("cause", cause.name());
        if (topic != null) {
            json.field("topic", topic);
        }
        if (queueId >= 0) {
            json.field("queueId", queueId);
        }
        if (offset >= 0) {
            json.field("offset", offset);
        }
        if (offsetId != null) {
            json.field("offsetMsgId", offsetId);
        }
        if (uniqueKey != null) {
            json.field("uniqueKey", uniqueKey);
        }
        json.field("sentence", sentence).name("evidence").beginObject();
        evidence.forEach((name, value) -> {
            if (value instanceof Number number) {
                json.field(name, number.longValue());
            } else {
                json.field(name, value.toString());
            }
        });
        json.endObject();
        if (advice != null) {
            json.field("advice", advice);
        }
        json.endObject();
    }
}
