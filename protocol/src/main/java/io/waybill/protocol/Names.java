/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol;

import java.util.Set;

/**
 * The one grammar of topic and group names, checked at every entrance: letters, digits and {@code % | _ -}, nothing else, so that a name can
 * be part of a key or a line of a log without escaping and never of a path by accident.
 */
public final class Names {
    public static final int MAX_TOPIC_LENGTH = 127;

    /** Of retry and dead-letter topics, which carry a group's name behind their prefix. */
    public static final int MAX_GROUP_TOPIC_LENGTH = 255;

    public static final String RETRY_PREFIX = "%RETRY%";
    public static final String DEAD_LETTER_PREFIX = "%DLQ%";
    public static final String QUARANTINE_PREFIX = "%QUAR%";

    /** Such that the longest group still has a retry topic. */
    public static final int MAX_GROUP_LENGTH = MAX_GROUP_TOPIC_LENGTH - RETRY_PREFIX.length();

    public static final String DEFAULT_TOPIC = "TBW102";
    public static final String HALF_TOPIC = "RMQ_SYS_TRANS_HALF_TOPIC";
    public static final String OP_HALF_TOPIC = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
    public static final String TRANS_CHECK_MAX_TIME_TOPIC = "TRANS_CHECK_MAX_TIME_TOPIC";
    public static final String SCHEDULE_TOPIC = "SCHEDULE_TOPIC_XXXX";
    public static final String TIMER_TOPIC = "rmq_sys_wheel_timer";
    public static final String SELF_TEST_TOPIC = "SELF_TEST_TOPIC";
    public static final String OFFSET_MOVED_EVENT = "OFFSET_MOVED_EVENT";
    public static final String BENCHMARK_TOPIC = "BenchmarkTest";
    public static final String TRACE_TOPIC = "RMQ_SYS_TRACE_TOPIC";
    public static final String CHECKPOINT_TOPIC = "CHECKPOINT_TOPIC";
    public static final String REPLY_TOPIC_SUFFIX = "_REPLY_TOPIC";
    public static final String SYSTEM_TOPIC_PREFIX = "rmq_sys_";

    /** The group every client instance registers for its own messages. */
    public static final String CLIENT_INNER_PRODUCER = "CLIENT_INNER_PRODUCER";

    /** The group of the reference's command-line tools. */
    public static final String TOOLS_CONSUMER = "TOOLS_CONSUMER";

    private static final Set<String> SEND_FORBIDDEN = Set.of(
            SCHEDULE_TOPIC,
            HALF_TOPIC,
            OP_HALF_TOPIC,
            "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
            "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
            TRANS_CHECK_MAX_TIME_TOPIC,
            SELF_TEST_TOPIC,
            OFFSET_MOVED_EVENT);
    private static final Set<String> OTHER_SYSTEM =
            Set.of(DEFAULT_TOPIC, BENCHMARK_TOPIC, TRACE_TOPIC, CHECKPOINT_TOPIC);

    private Names() {}

    /** Null when the topic's name is fine, else the sentence that names field, limit and what was seen. */
    public static String checkTopic(String topic) {
        String group = topic == null ? null : groupOf(topic);
        if (group != null && group.isEmpty()) {
            return "topic: must name a group behind " + topic + ", was empty there";
        }
        boolean isOfGroup = group != null || topic != null && isQuarantine(topic);
        return check("topic", topic, isOfGroup ? MAX_GROUP_TOPIC_LENGTH : MAX_TOPIC_LENGTH);
    }

    /** Null when the group's name is fine, else the sentence that names field, limit and what was seen. */
    public static String checkGroup(String group) {
        return check("group", group, MAX_GROUP_LENGTH);
    }

    public static String retryTopic(String group) {
        return RETRY_PREFIX + group;
    }

    /** Where the messages of a group lie whose keys are in quarantine; nobody sends there from outside. */
    public static String quarantineTopic(String group) {
        return QUARANTINE_PREFIX + group;
    }

    public static boolean isQuarantine(String topic) {
        return topic.startsWith(QUARANTINE_PREFIX);
    }

    /** The group of a topic of quarantined messages. */
    public static String groupOfQuarantine(String topic) {
        return topic.substring(QUARANTINE_PREFIX.length());
    }

    public static String deadLetterTopic(String group) {
        return DEAD_LETTER_PREFIX + group;
    }

    public static String replyTopic(String cluster) {
        return cluster + REPLY_TOPIC_SUFFIX;
    }

    public static boolean isRetry(String topic) {
        return topic.startsWith(RETRY_PREFIX);
    }

    public static boolean isDeadLetter(String topic) {
        return topic.startsWith(DEAD_LETTER_PREFIX);
    }

    /** The group a retry or dead-letter topic belongs to; null for any other topic. */
    public static String groupOf(String topic) {
        if (isRetry(topic)) {
            return topic.substring(RETRY_PREFIX.length());
        }
        return isDeadLetter(topic) ? topic.substring(DEAD_LETTER_PREFIX.length()) : null;
    }

    /** True for the topics that cannot be created or deleted from outside. */
    public static boolean isSystemTopic(String topic) {
        return topic.startsWith(SYSTEM_TOPIC_PREFIX) || OTHER_SYSTEM.contains(topic) || SEND_FORBIDDEN.contains(topic);
    }

    /** True for the topics a producer may not send to. */
    public static boolean isSendForbidden(String topic) {
        return SEND_FORBIDDEN.contains(topic) || isQuarantine(topic);
    }

    private static String check(String field, String name, int limit) {
        if (name == null || name.isBlank()) {
            return field + ": must have 1 to " + limit + " characters, was empty";
        }
        if (name.length() > limit) {
            return field + ": must have at most " + limit + " characters, had " + name.length();
        }
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            boolean fine = (c >= 'a' && c <= 'z')
                    || (c >= 'A' && c <= 'Z')
                    || (c >= '0' && c <= '9')
                    || c == '_'
                    || c == '-'
                    || c == '%'
                    || c == '|';
            if (!fine) {
                return field + ": may contain letters, digits and % | _ - only, has U+" + String.format("%04X", (int) c)
                        + " at index " + i;
            }
        }
        return null;
    }
}
