/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.Objects;

/** Whose pop state: a consumer group in one queue. */
public record PopKey(String group, String topic, int queueId) {
    public PopKey {
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(topic, "topic");
    }
}
