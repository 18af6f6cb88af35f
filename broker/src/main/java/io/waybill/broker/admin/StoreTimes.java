/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.QueueStore;
import io.waybill.store.ReadResult;

/** When single messages of a queue were stored. May read the disk. */
final class StoreTimes {
    private StoreTimes() {}

    /** Store time of the message at an offset, 0 when there is none. */
    static long at(QueueStore store, String topic, int queueId, long offset) {
        if (offset < 0) {
            return 0;
        }
        ReadResult read = store.readQueue(topic, queueId, offset, 1, 1, null, null);
        return read.status() == ReadResult.Status.FOUND
                ? StoredMessage.storeTimestamp(
                        read.slices().get(0), read.slices().get(0).position())
                : 0;
    }
}
