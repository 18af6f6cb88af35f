/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.group;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.protocol.body.ConsumeDirectlyResult;
import io.waybill.protocol.body.ConsumerRunningInfo;
import java.util.Map;

/** What a consumer answers when a broker asks it. Called on any thread; may block. */
public interface GroupMember {
    String group();

    /** The members of the group have changed. */
    default void membersChanged() {}

    /** An operator has moved the group in a topic, at a broker that leaves the moving to its clients. */
    default void reset(Map<MessageQueue, Long> offsets) {}

    /** The offsets it goes on with in a topic. */
    Map<MessageQueue, Long> positions(String topic);

    /** @param stacks the stacks of the threads, or null if not wanted */
    ConsumerRunningInfo runningInfo(String stacks);

    /** Handles a message once by order, or null if it has no handler. */
    default ConsumeDirectlyResult consumeOnce(InboundMessage message) {
        return null;
    }
}
