/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

/** What to type next: every command the doctor names stands here. */
final class Advice {
    private Advice() {}

    static String startConsumers(String group) {
        return "start a consumer of the group, or look who should be connected: waybill group members " + group;
    }

    static String subscribe(String group, String topic) {
        return "subscribe the consumers of the group to " + topic + "; what they subscribe to: waybill group members "
                + group;
    }

    static String filter(String group, String topic) {
        return "change the subscription, or send it with another tag; to read it all the same: waybill replay " + topic
                + " --into " + group + "-check";
    }

    static String lookAtClient(String group, String client) {
        return "look what the client does (a stuck handler, a slow database): waybill group running " + group
                + " --client '" + client + "' --stack";
    }

    static String orderedQueue(String group, String id) {
        return "mend the handler or the message: waybill message trace " + id
                + "; or let the group step aside for it: waybill group set " + group
                + " --attribute waybill.quarantine.after=5";
    }

    static String deliveredByItself(String id) {
        return "nothing: it is delivered again by itself; its story: waybill message trace " + id;
    }

    static String delayed(String topic, String id) {
        return "wait, or change it: waybill timer cancel " + topic + " --message " + id + ", waybill timer move " + topic
                + " --message " + id + " --in 0s";
    }

    static String half(String id) {
        return "ask the producer's team, or decide by hand: waybill tx show " + id + ", waybill tx commit " + id
                + " --reason ..., waybill tx rollback " + id + " --reason ...";
    }

    static String deadLetter(String group, long offset) {
        return "mend the cause, then: waybill dead redrive " + group + " --offset " + offset + "; or give it up: waybill dead discard "
                + group + " --offset " + offset;
    }

    static String reset(String group, String topic, long millis) {
        return "to get it all the same: waybill replay " + topic + " --from " + Times.at(millis) + " --into " + group
                + "-again; or move the whole group back: waybill group reset " + group + " --topic " + topic + " --to "
                + Times.at(millis);
    }

    static String consumed(String id) {
        return "look into the logs of that client at that time; the whole story: waybill message trace " + id;
    }

    static String rate(String group) {
        return "wait, or raise the limit: waybill group set " + group + " --attribute waybill.rate=...";
    }

    static String release(String group, String topic, String key) {
        return "mend the cause, then: waybill quarantine release " + group + " --topic " + topic + " --key '" + key + "'";
    }

    static String enableGroup(String group) {
        return "switch it on again: waybill group set " + group + " --enabled true";
    }

    static String enableTopic(String topic) {
        return "let the topic be read again: mqadmin updateTopicPerm -t " + topic + " -p 6";
    }

    static String find(String id) {
        return "check the id and the topic; ask every broker: waybill message trace " + id;
    }
}
