/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.message.Message;
import java.util.List;

/**
 * What the broker says to a pull.
 *
 * @param code 0 found, 19 nothing yet, 20 nothing matched, 21 offset moved
 */
public record PullResult(
        int code, long nextOffset, long minOffset, long maxOffset, long suggestedBroker, List<Message> messages) {
    /** True if the group must go on at {@link #nextOffset}, by a reset or because the offset asked for is gone. */
    public boolean isMoved() {
        return code == ResponseCode.PULL_OFFSET_MOVED;
    }
}
