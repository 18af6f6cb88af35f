/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.timer.Delay;
import io.waybill.remoting.Connection;
import io.waybill.store.log.Outcome;
import java.util.Map;
import java.util.function.Consumer;

/**
 * What send asks the consume wing about a message that a client itself sends to the retry topic of its group: after its send-back failed, or because it
 * consumes in order.
 */
public interface ClientRetries {
    /**
     * Where such a message goes.
     *
     * @param topic its topic
     * @param isDeadLetter true when it goes to queue 0 of the dead-letter topic
     * @param delay when it becomes visible; null = what its properties ask for
     * @param code 0, or the response code of a refusal, with {@code remark}
     */
    record RetryTarget(String topic, boolean isDeadLetter, Delay delay, int code, String remark) {}

    /**
     * Null, or why a retry or dead-letter topic does not come into being by a send: there is no such group and none may be made by it. Null for
     * every other topic.
     */
    RetryTarget refusalOfNew(String topic);

    /**
     * Whether somebody else takes a message that an ordered consumer gave up; if not, {@link #place} says where it goes.
     *
     * @param then called exactly once if true is returned: null = nobody took it after all
     */
    boolean isTaken(String retryTopic, Map<String, String> properties, Connection from, Consumer<Outcome> then);

    /**
     * Places a message and writes on it what a dead letter carries.
     *
     * @param reconsumeTimes the tries so far, as the request says
     * @param maxReconsumeTimes the limit the client names, negative for none
     * @param from where the message comes from
     */
    RetryTarget place(
            String retryTopic,
            int reconsumeTimes,
            int maxReconsumeTimes,
            Map<String, String> properties,
            Connection from);
}
