/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.Objects;

/** A consumer group's committed offset in one queue; a negative offset removes it. */
public record ConsumerOffset(String group, String topic, int queueId, long offset) {
    public ConsumerOffset {
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(topic, "topic");
    }
}
