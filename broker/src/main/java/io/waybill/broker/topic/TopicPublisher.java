/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

/** Tells the outside world that the topic table changed. */
public interface TopicPublisher {
    /** A publisher for brokers without a name server: nothing to tell. */
    TopicPublisher NONE = Runnable::run;

    /**
     * Publishes the table as it is now and calls {@code then} exactly once, from any thread, when every name server
     * answered or the wait for one ran out; a name server that is down never fails the change itself.
     */
    void publish(Runnable then);
}
