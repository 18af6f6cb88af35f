/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/** A stored message as a consumer sees it. Immutable, and valid as long as you keep it. */
public interface ReceivedMessage {
    /** The id the producer gave it; equal for all copies and redeliveries of one message. */
    String messageId();

    /** The topic it was sent to; for a retried message the original topic, not the retry topic. */
    String topic();

    /**
     * The content, inflated. Each call may return the same array: do not change it.
     *
     * @throws WaybillException of kind UNREADABLE when the body is damaged, or compressed by something this process has no library for (zlib is always there; LZ4 and Zstandard with lz4-java and zstd-jni)
     */
    byte[] body();

    /** The content as UTF-8 text. */
    default String text() {
        return new String(body(), StandardCharsets.UTF_8);
    }

    /** The tag, or null. */
    String tag();

    /** The business keys; never null. */
    List<String> keys();

    /** The ordering key the producer used, or null. */
    String orderingKey();

    /** All stored properties, those of the protocol too. */
    Map<String, String> properties();

    /** One property, or null. */
    default String property(String name) {
        return properties().get(name);
    }

    /** When the producer sent it, by the producer's clock. */
    Instant bornAt();

    /** Which stored copy this is, and which try. */
    Delivery delivery();

    /** The user flag of the protocol; 0 unless a stock producer set it. */
    int flag();
}
