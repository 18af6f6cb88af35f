/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

import io.waybill.protocol.body.TopicConfig;

/**
 * How a request for a topic ended: the settings now in force, or a response code with the reason.
 *
 * @param config the topic as it is now; null when refused
 * @param code 0, or the response code of the refusal
 * @param text the reason of the refusal; null when there is none
 */
public record TopicChange(TopicConfig config, int code, String text) {
    static TopicChange done(TopicConfig config) {
        return new TopicChange(config, 0, null);
    }

    static TopicChange refused(int code, String text) {
        return new TopicChange(null, code, text);
    }

    public boolean isRefused() {
        return config == null;
    }
}
