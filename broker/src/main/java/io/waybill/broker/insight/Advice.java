/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

/** What to type next: every command the doctor names stands here. */
final class Advice {
    private Advice() {}

    static String startConsumers(String group) {
        return "start a consumer of the group; who is connected: waybill group members " + group;
    }

    static String subscribe(String group, String topic) {
        return "subscribe the consumers of the group to " + topic + "; who is connected: waybill group members "
                + group;
    }

    static String moreQueues(String topic, int queues) {
        return "give the topic its queues back until they are read: waybill topic create " + topic + " --queues "
                + queues;
    }

    static String filter(String group, String topic, long millis) {
        return "change the subscription, or send it with another tag; to read it all the same: waybill replay " + topic
                + " --from " + Times.at(millis) + " --into " + group + "-check";
    }

    static String lookAtClient(String group, String client) {
        return "look what the client does (a stuck handler, a slow database): waybill group members " + group
                + " --client " + client + " --stacks";
    }

    static String orderedQueue(String group, String id) {
        return "mend the handler or the message: waybill message trace " + id
                + "; or let the group step aside for such keys: waybill group settings " + group
                + " --quarantine-after 5";
    }

    static String deliveredByItself(String id) {
        return "nothing, it is delivered again by itself; its story: waybill message trace " + id;
    }

    static String delayed(String topic, String id) {
        return "wait, or have it at once: waybill timer reschedule --topic " + topic + " --message " + id
                + " --in 1s; or call it back: waybill timer cancel --topic " + topic + " --message " + id;
    }

    static String half(String id) {
        return "ask the owners of the producer, or decide by hand: waybill tx commit " + id
                + " --reason TEXT, waybill tx rollback " + id + " --reason TEXT; every check: waybill tx show " + id;
    }

    static String deadLetter(String group, long offset) {
        return "mend the cause, then: waybill dlq redrive " + group + " " + offset
                + "; or give it up: waybill dlq discard " + group + " " + offset + " --reason TEXT";
    }

    static String reset(String group, String topic, long millis) {
        return "to read it all the same: waybill replay " + topic + " --from " + Times.at(millis) + " --into " + group
                + "-again; or take the whole group back: waybill group reset " + group + " --topic " + topic + " --to "
                + Times.at(millis);
    }

    static String consumed(String id) {
        return "look into the log of that client at that time; the whole story: waybill message trace " + id;
    }

    static String trace(String id) {
        return "the whole story: waybill message trace " + id;
    }

    static String rate(String group) {
        return "wait, or raise the limit: waybill group settings " + group + " --rate N";
    }

    static String release(String group, String topic, String key) {
        return "mend the cause, then: waybill quarantine release " + group + " " + key + " --topic " + topic;
    }

    static String enableGroup(String group) {
        return "switch it on again: waybill group settings " + group + " --enabled true";
    }

    static String enableTopic(String topic) {
        return "let the topic be read again: waybill topic settings " + topic;
    }

    static String ownClientIds() {
        return "give each process an instance name of its own, in containers too; then start them again";
    }

    static String clockAhead() {
        return "set the machine's clock right if it is behind; else wait until it has caught up, or go on in a new"
                + " data directory; until then use offsets instead of times";
    }

    static String find(String id) {
        return "check the id and the topic; what every broker knows: waybill message trace " + id;
    }
}
