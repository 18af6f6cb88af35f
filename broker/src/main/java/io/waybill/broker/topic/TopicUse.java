/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

import java.util.Map;
import java.util.StringJoiner;

/**
 * What would be lost to whom if a topic, or some of its queues, went now.
 *
 * @param messages kept in the queues
 * @param unread by group what it has not consumed of them; only groups with some
 * @param isRead whether any group consumes the topic, or has
 * @param members consumers that are connected and subscribe to it
 * @param pending delayed messages and open transactions
 */
public record TopicUse(long messages, Map<String, Long> unread, boolean isRead, int members, long pending) {
    private static final int MOST_NAMED = 5;

    /** Messages somebody still has to read: those of the group that has most, or all if no group ever read the topic. */
    public boolean isUnread() {
        return isRead ? !unread.isEmpty() : messages > 0;
    }

    boolean isUsed() {
        return isUnread() || members > 0 || pending > 0;
    }

    /** {@code 120 messages that group shop has not read, 2 consumers are connected}. */
    @Override
    public String toString() {
        StringJoiner text = new StringJoiner("; ");
        if (!isRead && messages > 0) {
            text.add(messages + " messages that no group has read");
        }
        int named = 0;
        for (Map.Entry<String, Long> group : unread.entrySet()) {
            if (named++ == MOST_NAMED) {
                text.add("and " + (unread.size() - MOST_NAMED) + " more groups");
                break;
            }
            text.add(group.getValue() + " messages that group " + group.getKey() + " has not read");
        }
        if (members > 0) {
            text.add(members + " connected consumers subscribe to it");
        }
        if (pending > 0) {
            text.add(pending + " delayed messages and open transactions wait");
        }
        return text.length() == 0 ? "nothing" : text.toString();
    }
}
