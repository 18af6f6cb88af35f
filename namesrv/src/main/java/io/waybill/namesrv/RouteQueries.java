/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

import io.waybill.protocol.Names;
import io.waybill.remoting.Connection;
import java.util.HashMap;
import java.util.Map;

/**
 * What one client has asked about topics that do not exist, to tell a consumer that waits for a topic from a producer that is about to create it. The
 * question is the same; but a producer asks for the template topic right after it, and a consumer asks for the same topic again: once when it starts, and
 * once more when its client refreshes all its routes a few milliseconds later. Kept with the connection, {@value #MOST_TOPICS} topics at most;
 * thread-safe.
 */
final class RouteQueries {
    private static final String ATTRIBUTE = "routeQuestions";
    private static final int MOST_TOPICS = 64;

    /** By unknown topic whether it is a producer's. */
    private final Map<String, Boolean> unknown = new HashMap<>();

    /** The unknown topic of the question before, if that was the first one for it. */
    private String justAsked;

    /** Those of a connection, made if it has none. */
    static RouteQueries of(Connection connection) {
        synchronized (connection) {
            RouteQueries known = (RouteQueries) connection.attribute(ATTRIBUTE);
            if (known == null) {
                known = new RouteQueries();
                connection.attribute(ATTRIBUTE, known);
            }
            return known;
        }
    }

    /** Notes a question for any topic, whether it exists or not. */
    synchronized void asked(String topic) {
        if (justAsked != null && Names.DEFAULT_TOPIC.equals(topic)) {
            unknown.put(justAsked, true);
        }
        justAsked = null;
    }

    /** Whether who asks for this topic, which does not exist, seems to be a consumer of it. */
    synchronized boolean isConsumers(String topic) {
        Boolean isProducers = unknown.get(topic);
        if (isProducers != null) {
            return !isProducers;
        }
        if (unknown.size() < MOST_TOPICS) {
            unknown.put(topic, false);
            justAsked = topic;
        }
        return false;
    }
}
