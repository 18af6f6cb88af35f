/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Clock;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.SysFlag;
import io.waybill.protocol.message.UniqueKeys;
import io.waybill.remoting.Connection;
import io.waybill.store.StoreClock;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What this broker writes on every message when it is stored first: its own address, cluster, region and trace switch, and a unique key when the client
 * gave none. Thread-safe.
 */
public final class MessageStamp {
    private final InetSocketAddress storeHost;
    /** Encoded once, as every message carries it. */
    private final byte[] storeAddress;

    private final int maxMessageBytes;
    private final String region;
    private final boolean isTraced;
    private final Clock clock;
    private final StoreClock storeClock;
    private final RandomSource random;
    private final UniqueKeys uniqueKeys;
    /** Cluster, region and trace switch, encoded once. */
    private final byte[] encoded;

    private final Map<String, String> properties;

    /** @param address where clients reach this broker; part of every message id */
    public MessageStamp(BrokerSettings settings, Platform platform, StoreClock storeClock, InetSocketAddress address) {
        this.storeClock = storeClock;
        this.storeHost = address;
        this.storeAddress = address.getAddress().getAddress();
        this.maxMessageBytes = settings.messages().maxBytes();
        this.region = settings.messages().region();
        this.isTraced = settings.messages().trace();
        this.clock = platform.clock();
        this.random = platform.random();
        Map<String, String> table = new LinkedHashMap<>();
        table.put(MessageProperties.CLUSTER, settings.registration().clusterName());
        table.put(MessageProperties.MSG_REGION, region);
        table.put(MessageProperties.TRACE_ON, Boolean.toString(isTraced));
        this.properties = Map.copyOf(table);
        this.encoded = MessageProperties.encode(table);
        byte[] host = new byte[4];
        random.nextBytes(host);
        this.uniqueKeys = new UniqueKeys(host, random.nextInt(1 << 16), (int) random.nextLong());
    }

    InetSocketAddress storeHost() {
        return storeHost;
    }

    int maxMessageBytes() {
        return maxMessageBytes;
    }

    String region() {
        return region;
    }

    boolean isTraced() {
        return isTraced;
    }

    Clock clock() {
        return clock;
    }

    StoreClock storeClock() {
        return storeClock;
    }

    /** The queue that the client chose, or any. */
    int queueOf(SendMessageHeader header, TopicConfig topic) {
        return header.queueId() >= 0 ? header.queueId() : random.nextInt(Math.max(1, topic.writeQueueNums()));
    }

    /** A draft with all that the request says but queue and properties. */
    MessageDraft.Builder draft(SendMessageHeader header, TopicConfig topic, ByteBuffer body, Connection from) {
        boolean multiTag = "MULTI_TAG".equals(topic.topicFilterType());
        return MessageDraft.builder()
                .topic(topic.topicName())
                .flag(header.flag())
                .sysFlag(multiTag ? header.sysFlag() | SysFlag.MULTI_TAGS : header.sysFlag())
                .bornTimestamp(header.bornTimestamp())
                .bornHost(from.remoteAddress())
                .storeHost(storeAddress, storeHost.getPort())
                .reconsumeTimes(header.reconsumeTimes())
                .body(body);
    }

    /** Gives a message a unique key unless it has one. */
    void addUniqueKey(MessageDraft.Builder draft, int flags) {
        if ((flags & PropertyFlags.UNIQUE_KEY) == 0) {
            draft.property(MessageProperties.UNIQ_KEY, uniqueKeys.next(clock.wallMillis()));
        }
    }

    /** Writes it all on encoded properties. */
    void addTo(MessageDraft.Builder draft, int flags) {
        addUniqueKey(draft, flags);
        if ((flags & PropertyFlags.CLUSTER) == 0) {
            draft.appendProperties(encoded);
        } else {
            // A message that went through a broker before: replace what that one wrote.
            properties.forEach(draft::property);
        }
    }

    /** Writes it all on decoded properties. */
    void addTo(Map<String, String> decoded) {
        addBrokerTo(decoded);
        decoded.computeIfAbsent(MessageProperties.UNIQ_KEY, name -> uniqueKeys.next(clock.wallMillis()));
    }

    /** Writes all but the unique key. */
    void addBrokerTo(Map<String, String> decoded) {
        decoded.putAll(properties);
    }
}
