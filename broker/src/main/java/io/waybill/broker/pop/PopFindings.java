/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** The messages a pop gets, queue by queue, and how its reply names them. Of whoever works on the pop. */
final class PopFindings {
    private final String topicMark;
    private final List<ByteBuffer> slices = new ArrayList<>(4);
    private final StringBuilder starts = new StringBuilder();
    private final StringBuilder offsets = new StringBuilder();
    /** Null while there is nothing to say. */
    private StringBuilder orderCounts;

    private int count;
    private int bytes;

    PopFindings(String topicMark) {
        this.topicMark = topicMark;
    }

    /** Adds messages of one queue, ascending; of each queue once. */
    void add(int queueId, List<DeliveredMessage> messages, boolean isOrdered) {
        if (starts.length() > 0) {
            starts.append(';');
            offsets.append(';');
        }
        starts.append(topicMark)
                .append(' ')
                .append(queueId)
                .append(' ')
                .append(messages.get(0).offset());
        offsets.append(topicMark).append(' ').append(queueId).append(' ');
        for (int i = 0; i < messages.size(); i++) {
            DeliveredMessage delivered = messages.get(i);
            offsets.append(i == 0 ? "" : ",").append(delivered.offset());
            slices.add(delivered.message());
            bytes += delivered.message().remaining();
            if (isOrdered && delivered.deliveries() > 1) {
                addOrderCount(queueId, delivered);
            }
        }
        count += messages.size();
    }

    private void addOrderCount(int queueId, DeliveredMessage delivered) {
        if (orderCounts == null) {
            orderCounts = new StringBuilder();
        } else {
            orderCounts.append(';');
        }
        orderCounts
                .append(topicMark)
                .append(" qo")
                .append(queueId)
                .append('%')
                .append(delivered.offset())
                .append(' ')
                .append(delivered.deliveries() - 1);
    }

    int count() {
        return count;
    }

    int bytes() {
        return bytes;
    }

    List<ByteBuffer> slices() {
        return slices;
    }

    String starts() {
        return starts.toString();
    }

    String offsets() {
        return offsets.toString();
    }

    /** Null when there is nothing to say. */
    String orderCounts() {
        return orderCounts == null ? null : orderCounts.toString();
    }
}
