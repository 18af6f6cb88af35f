/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.protocol.json.JsonWriter;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One cause with its evidence. It has no text for people: whoever asked writes that from cause and evidence, so whatever a sentence is to tell must be
 * a fact here. Built in one thread; members that are not set are left out of the answer.
 */
final class Finding {
    private final Cause cause;
    private final SubCause subCause;
    private final String topic;
    private final Map<Fact, Object> evidence = new LinkedHashMap<>();
    private int queueId = -1;
    private long offset = -1;
    private String offsetId;
    private String uniqueKey;

    /**
     * @param subCause null when the cause stands for one thing
     * @param topic null when it concerns the group as a whole
     */
    Finding(Cause cause, SubCause subCause, String topic) {
        this.cause = cause;
        this.subCause = subCause;
        this.topic = topic;
    }

    /** About one copy of a message. */
    static Finding on(Cause cause, SubCause subCause, StoredCopy copy) {
        Finding finding = new Finding(cause, subCause, copy.topic()).about(copy);
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

    /** About a message of which no copy is left. */
    Finding about(String key) {
        uniqueKey = key;
        return this;
    }

    /** Adds a fact; null is left out. */
    Finding fact(Fact fact, Object value) {
        if (value != null) {
            if (!fact.takes(value)) {
                throw new IllegalArgumentException(fact + " is no " + value.getClass());
            }
            evidence.put(fact, value);
        }
        return this;
    }

    /** Adds a time; 0 stands for one that is not known, and is left out. */
    Finding time(Fact fact, long millis) {
        return fact(fact, millis > 0 ? millis : null);
    }

    Cause cause() {
        return cause;
    }

    void write(JsonWriter json) {
        json.beginObject().field("cause", cause.name());
        if (subCause != null) {
            json.field("subCause", subCause.name());
        }
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
        json.name("evidence").beginObject();
        evidence.forEach((fact, value) -> write(json, fact, value));
        json.endObject().endObject();
    }

    private static void write(JsonWriter json, Fact fact, Object value) {
        switch (fact.type()) {
            case TEXT -> json.field(fact.wireName(), (String) value);
            case NUMBER, TIME -> json.field(fact.wireName(), ((Number) value).longValue());
            case FLAG -> json.field(fact.wireName(), (boolean) value);
            case NAMES -> json.field(fact.wireName(), names((Collection<?>) value));
        }
    }

    private static List<String> names(Collection<?> value) {
        return value.stream().map(String.class::cast).toList();
    }
}
