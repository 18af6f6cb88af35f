/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/**
 * The door to one Waybill (or RocketMQ) cluster. All producers and consumers of a process share one set of event loops, one timer thread and one
 * bounded pool of listener threads, however many clients are open.
 *
 * <p>Safe for use from any thread. {@link #close()} closes everything that was built from this client: consumers first (their progress is
 * committed), then producers, then the connections.
 */
public interface WaybillClient extends AutoCloseable {

    /**
     * Makes a client. No connection is opened before it is needed.
     *
     * @param nameServers {@code host:port} of the name server; several are separated by {@code ;} or {@code ,}
     * @throws WaybillException of kind INVALID when the text is not such a list
     * @throws IllegalStateException when the jar of this library was repacked without its services file
     */
    static WaybillClient connect(String nameServers) {
        return InstalledProvider.find().connect(nameServers);
    }

    /** The id under which the cluster knows this client; unique among all processes. */
    String clientId();

    /** Builds a producer. {@code group} names the sending service; it appears in tools. */
    Producer.Builder producer(String group);

    /** Builds a producer whose messages become visible when a local transaction has committed. One per group and client. */
    TransactionProducer.Builder transactionProducer(String group);

    /** Builds a consumer that gets messages by a handler. The members of a group share the queues. One per group and client. */
    PushConsumer.Builder pushConsumer(String group);

    /** Builds a consumer that asks for messages and owns its position. One per group and client; not in the group of a push consumer. */
    PullConsumer.Builder pullConsumer(String group);

    /** Builds a consumer that takes single messages and acknowledges each (pop). One per group and client. */
    SimpleConsumer.Builder simpleConsumer(String group);

    /** Describes a replay of an interval of a topic into a side group. */
    Replay replay(String topic);

    /** Questions and changes for tools and scripts. */
    Admin admin();

    /** Closes everything built from this client. Waits for running handlers, up to 30 s. Further calls do nothing. */
    @Override
    void close();
}
