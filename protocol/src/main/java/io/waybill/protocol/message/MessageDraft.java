/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.zip.CRC32;

/**
 * One message ready for the log: the complete record of {@link StoredMessage}, in its own array, with checksum. Queue offset, position and
 * store time are zero until the writer patches them, so a draft is handed over once and not touched by its maker afterwards. The body was
 * copied exactly once, from where it was received into the record.
 */
public final class MessageDraft {
    private static final byte[] NO_PROPERTIES = {};
    private static final ByteBuffer NO_BODY = ByteBuffer.allocate(0).asReadOnlyBuffer();
    /** A topic of more bytes makes the record V2. */
    private static final int MAX_TOPIC_V1 = Byte.MAX_VALUE;

    private static final int MAX_TOPIC_V2 = Short.MAX_VALUE;

    private final byte[] bytes;
    private final String topic;
    private final int queueId;
    private final IndexTerms terms;

    private MessageDraft(byte[] bytes, String topic, int queueId, IndexTerms terms) {
        this.bytes = bytes;
        this.topic = topic;
        this.queueId = queueId;
        this.terms = terms;
    }

    public static Builder builder() {
        return new Builder();
    }

    /**
     * A builder that starts as a copy of a stored record: same body, properties, hosts, times and flags. Queue offset, position and store time
     * are not taken over. The buffer must stay readable until {@link Builder#build}.
     *
     * @throws BadValue when the lengths of the record do not fit together
     */
    public static Builder copyOf(ByteBuffer stored, int at) {
        String wrong = StoredMessage.verifyLayout(stored, at, stored.limit());
        if (wrong != null) {
            throw new BadValue("stored message", "a sound record", wrong);
        }
        return new Builder()
                .topic(StoredMessage.topic(stored, at))
                .queueId(StoredMessage.queueId(stored, at))
                .flag(StoredMessage.flag(stored, at))
                .sysFlag(StoredMessage.sysFlag(stored, at))
                .bornTimestamp(StoredMessage.bornTimestamp(stored, at))
                .bornHost(StoredMessage.bornHost(stored, at))
                .storeHost(StoredMessage.storeHost(stored, at))
                .reconsumeTimes(StoredMessage.reconsumeTimes(stored, at))
                .preparedTransactionOffset(StoredMessage.preparedTransactionOffset(stored, at))
                .body(StoredMessage.body(stored, at))
                .properties(StoredMessage.properties(stored, at));
    }

    /** The record itself, not a copy: the writer patches it in place. */
    public byte[] bytes() {
        return bytes;
    }

    public int size() {
        return bytes.length;
    }

    public String topic() {
        return topic;
    }

    public int queueId() {
        return queueId;
    }

    public long tagsCode() {
        return terms.tagsCode();
    }

    /** The UNIQ_KEY property, or null. */
    public String uniqueKey() {
        return terms.uniqueKey();
    }

    /** The words of the KEYS property, without the unique key; never null, not to be changed. */
    public String[] keys() {
        return terms.keys();
    }

    /** The unique key, when there is one, and the words of KEYS: everything the key index takes. */
    public String[] indexKeys() {
        return terms.all();
    }

    public IndexTerms terms() {
        return terms;
    }

    /** Gathers the fields of a draft. Not thread-safe; one builder makes one draft. */
    public static final class Builder {
        private String topic;
        private int queueId;
        private int flag;
        private int sysFlag;
        private long bornTimestamp;
        private InetSocketAddress bornHost;
        private InetSocketAddress storeHost;
        private byte[] storeAddress;
        private int storePort;
        private int reconsumeTimes;
        private long preparedTransactionOffset;
        private ByteBuffer body = NO_BODY;
        private byte[] properties = NO_PROPERTIES;

        private Builder() {}

        public Builder topic(String name) {
            this.topic = name;
            return this;
        }

        public Builder queueId(int id) {
            this.queueId = id;
            return this;
        }

        public Builder flag(int userFlag) {
            this.flag = userFlag;
            return this;
        }

        /** {@link SysFlag} bits; the two host bits are set from the hosts, whatever is given here. */
        public Builder sysFlag(int bits) {
            this.sysFlag = bits;
            return this;
        }

        public int sysFlag() {
            return sysFlag;
        }

        public Builder bornTimestamp(long millis) {
            this.bornTimestamp = millis;
            return this;
        }

        public Builder bornHost(InetSocketAddress host) {
            this.bornHost = host;
            return this;
        }

        public Builder storeHost(InetSocketAddress host) {
            this.storeHost = host;
            this.storeAddress = null;
            return this;
        }

        /** The same, its address of 4 or 16 bytes taken as it is: a broker writes the same one on every message. Must not be changed afterwards. */
        public Builder storeHost(byte[] address, int port) {
            this.storeAddress = address;
            this.storePort = port;
            return this;
        }

        public Builder reconsumeTimes(int times) {
            this.reconsumeTimes = times;
            return this;
        }

        public Builder preparedTransactionOffset(long offset) {
            this.preparedTransactionOffset = offset;
            return this;
        }

        /** The body between position and limit; copied by {@link #build}, until then it must stay unchanged. */
        public Builder body(ByteBuffer source) {
            this.body = source;
            return this;
        }

        public Builder body(byte[] source) {
            this.body = ByteBuffer.wrap(source);
            return this;
        }

        /** Encoded properties; taken as they are, duplicates and missing last separator included. Must not be changed afterwards. */
        public Builder properties(byte[] encoded) {
            this.properties = encoded;
            return this;
        }

        public Builder properties(String encoded) {
            return properties(encoded == null ? NO_PROPERTIES : encoded.getBytes(StandardCharsets.UTF_8));
        }

        public Builder properties(Map<String, String> decoded) {
            return properties(MessageProperties.encode(decoded));
        }

        /** The encoded properties as they stand now. */
        public byte[] properties() {
            return properties;
        }

        /** A property as it stands now, or null. */
        public String property(String name) {
            return MessageProperties.get(properties, name);
        }

        /** Sets one property, replacing earlier ones of that name.
         *
         * @throws BadValue when it cannot be encoded or all properties together become too long
         */
        public Builder property(String name, String value) {
            this.properties = MessageProperties.with(properties, name, value);
            return this;
        }

        public Builder removeProperty(String name) {
            this.properties = MessageProperties.without(properties, name);
            return this;
        }

        /** Appends properties encoded beforehand, such as those a broker adds to every message, in one copy. */
        public Builder appendProperties(byte[] encoded) {
            int length = properties.length;
            boolean open = length > 0 && properties[length - 1] != MessageProperties.PROPERTY_SEPARATOR;
            int start = open ? length + 1 : length;
            MessageProperties.checkLength(start + encoded.length);
            byte[] joined = Arrays.copyOf(properties, start + encoded.length);
            if (open) {
                joined[length] = MessageProperties.PROPERTY_SEPARATOR;
            }
            System.arraycopy(encoded, 0, joined, start, encoded.length);
            this.properties = joined;
            return this;
        }

        /**
         * Encodes the record.
         *
         * @throws BadValue when the topic is missing or too long, the properties are too long, or the record would not fit an int
         * @throws IllegalStateException when a host was not given or is unresolved: the caller's mistake, not a peer's
         */
        public MessageDraft build() {
            if (topic == null || topic.isEmpty()) {
                throw new BadValue("topic", "a name", topic);
            }
            byte[] topicBytes = topic.getBytes(StandardCharsets.UTF_8);
            if (topicBytes.length > MAX_TOPIC_V2) {
                throw new BadValue("topic", "at most " + MAX_TOPIC_V2 + " bytes", topicBytes.length + " bytes");
            }
            MessageProperties.checkLength(properties.length);
            byte[] born = address("bornHost", bornHost);
            byte[] store = storeAddress == null ? address("storeHost", storeHost) : storeAddress;
            int port = storeAddress == null ? storeHost.getPort() : storePort;
            int bits = sysFlag & ~(SysFlag.BORN_HOST_V6 | SysFlag.STORE_HOST_V6);
            bits |= born.length == 16 ? SysFlag.BORN_HOST_V6 : 0;
            bits |= store.length == 16 ? SysFlag.STORE_HOST_V6 : 0;
            boolean wide = topicBytes.length > MAX_TOPIC_V1;
            int bodyLength = body.remaining();
            long size = (long) StoredMessage.FIXED_LENGTH_V1
                    + (wide ? 1 : 0)
                    + (born.length + 4)
                    + (store.length + 4)
                    + bodyLength
                    + topicBytes.length
                    + properties.length;
            if (size > Integer.MAX_VALUE - 16) {
                throw new BadValue("body", "small enough for one record", bodyLength + " bytes");
            }
            byte[] bytes = new byte[(int) size];
            ByteBuffer out = ByteBuffer.wrap(bytes);
            out.putInt((int) size)
                    .putInt(wide ? StoredMessage.MAGIC_V2 : StoredMessage.MAGIC_V1)
                    .putInt(0)
                    .putInt(queueId)
                    .putInt(flag)
                    .putLong(0)
                    .putLong(0)
                    .putInt(bits)
                    .putLong(bornTimestamp)
                    .put(born)
                    .putInt(bornHost.getPort())
                    .putLong(0)
                    .put(store)
                    .putInt(port)
                    .putInt(reconsumeTimes)
                    .putLong(preparedTransactionOffset)
                    .putInt(bodyLength);
            int bodyIndex = out.position();
            body.get(body.position(), bytes, bodyIndex, bodyLength);
            out.position(bodyIndex + bodyLength);
            if (wide) {
                out.putShort((short) topicBytes.length);
            } else {
                out.put((byte) topicBytes.length);
            }
            out.put(topicBytes);
            out.putShort((short) properties.length).put(properties);
            CRC32 crc = new CRC32();
            crc.update(bytes, bodyIndex, bodyLength);
            out.putInt(StoredMessage.BODY_CRC_OFFSET, (int) crc.getValue() & Integer.MAX_VALUE);
            return new MessageDraft(bytes, topic, queueId, IndexTerms.read(properties));
        }

        private static byte[] address(String field, InetSocketAddress host) {
            InetAddress address = host == null ? null : host.getAddress();
            if (address == null) {
                throw new IllegalStateException(field + " must be a resolved address, was " + host);
            }
            return address.getAddress();
        }
    }
}
