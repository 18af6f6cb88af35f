/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;

/**
 * The queues of a topic on all brokers of one name.
 *
 * @param perm {@link Perm} bits
 */
public record QueueData(String brokerName, int readQueueNums, int writeQueueNums, int perm, int topicSysFlag)
        implements Comparable<QueueData> {

    static QueueData read(JsonObject json) {
        return new QueueData(
                json.requireString("brokerName"),
                json.getInt("readQueueNums", 0),
                json.getInt("writeQueueNums", 0),
                json.getInt("perm", 0),
                json.getInt("topicSysFlag", 0));
    }

    void write(JsonWriter json) {
        json.beginObject()
                .field("brokerName", brokerName)
                .field("perm", perm)
                .field("readQueueNums", readQueueNums)
                .field("topicSysFlag", topicSysFlag)
                .field("writeQueueNums", writeQueueNums)
                .endObject();
    }

    @Override
    public int compareTo(QueueData other) {
        return brokerName.compareTo(other.brokerName);
    }
}
