/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * A stored message with every field decoded, for clients, tools and tests. The body is as stored, possibly compressed. Independent of the
 * buffer it was read from.
 *
 * @param storeSize bytes of the record
 * @param position address of the record in the broker's log
 * @param body not copied again by the accessor; not to be changed
 * @param properties in stored order, cannot be changed
 */
public record Message(
        int storeSize,
        int bodyCrc,
        int queueId,
        int flag,
        long queueOffset,
        long position,
        int sysFlag,
        long bornTimestamp,
        InetSocketAddress bornHost,
        long storeTimestamp,
        InetSocketAddress storeHost,
        int reconsumeTimes,
        long preparedTransactionOffset,
        byte[] body,
        String topic,
        Map<String, String> properties) {

    /** Reads the record at {@code at}; the buffer's position is neither used nor moved.
     *
     * @throws BadValue when the record's lengths do not fit together or its magic is unknown
     */
    public static Message decode(ByteBuffer b, int at) {
        String wrong = StoredMessage.verifyLayout(b, at, b.limit());
        if (wrong != null) {
            throw new BadValue("stored message", "a sound record", wrong);
        }
        byte[] body = new byte[StoredMessage.bodyLength(b, at)];
        b.get(StoredMessage.bodyIndex(b, at), body);
        return new Message(
                StoredMessage.totalSize(b, at),
                StoredMessage.bodyCrc(b, at),
                StoredMessage.queueId(b, at),
                StoredMessage.flag(b, at),
                StoredMessage.queueOffset(b, at),
                StoredMessage.position(b, at),
                StoredMessage.sysFlag(b, at),
                StoredMessage.bornTimestamp(b, at),
                StoredMessage.bornHost(b, at),
                StoredMessage.storeTimestamp(b, at),
                StoredMessage.storeHost(b, at),
                StoredMessage.reconsumeTimes(b, at),
                StoredMessage.preparedTransactionOffset(b, at),
                body,
                StoredMessage.topic(b, at),
                Collections.unmodifiableMap(MessageProperties.decode(StoredMessage.properties(b, at))));
    }

    /** Reads records back to back from the buffer's position to its limit, as in the body of a pull reply. The position is not moved.
     *
     * @throws BadValue when one of them is not sound
     */
    public static List<Message> decodeAll(ByteBuffer b) {
        List<Message> messages = new ArrayList<>();
        for (int at = b.position(); at < b.limit(); ) {
            Message message = decode(b, at);
            messages.add(message);
            at += message.storeSize();
        }
        return messages;
    }

    public String property(String name) {
        return properties.get(name);
    }

    public String tags() {
        return properties.get(MessageProperties.TAGS);
    }

    public String keys() {
        return properties.get(MessageProperties.KEYS);
    }

    public String uniqueKey() {
        return properties.get(MessageProperties.UNIQ_KEY);
    }

    /** The id by which the broker finds the record again: store host and position. */
    public String offsetId() {
        return MessageIds.offsetId(storeHost, position);
    }
}
