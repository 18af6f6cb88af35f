/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.protocol.Fixtures;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StoredMessageTest {
    private static final InetSocketAddress V4 = new InetSocketAddress("127.0.0.1", 10911);
    private static final InetSocketAddress V6 = new InetSocketAddress("2001:db8::1", 10911);

    @Test
    void readsTheAnnotatedSample() {
        ByteBuffer record = ByteBuffer.wrap(Fixtures.bytes(Fixtures.STORED_MESSAGE));
        assertThat(StoredMessage.verify(record, 0, record.limit())).isNull();
        Message message = Message.decode(record, 0);
        assertThat(message.storeSize()).isEqualTo(282);
        assertThat(message.bodyCrc()).isEqualTo(1174665704);
        assertThat(message.bornTimestamp()).isEqualTo(1795349712608L);
        assertThat(message.storeTimestamp()).isEqualTo(1795349712844L);
        assertThat(message.bornHost()).isEqualTo(new InetSocketAddress("127.0.0.1", 54324));
        assertThat(message.storeHost()).isEqualTo(new InetSocketAddress("127.0.0.1", 19911));
        assertThat(message.body()).isEqualTo("hello-body".getBytes(UTF_8));
        assertThat(message.topic()).isEqualTo("ProtoTopic");
        assertThat(message.properties())
                .hasSize(8)
                .containsEntry("KEYS", "key1 key2")
                .containsEntry("color", "red");
        assertThat(message.offsetId()).isEqualTo("7F00000100004DC70000000000000000");
        assertThat(StoredMessage.property(record, 0, "TAGS")).isEqualTo("TagA");
        assertThat(StoredMessage.tagsCode(record, 0)).isEqualTo("TagA".hashCode());
        assertThat(StoredMessage.topicEquals(record, 0, "ProtoTopic")).isTrue();
        assertThat(StoredMessage.topicEquals(record, 0, "ProtoTopix")).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "pull_response_11_found",
                "pull_response_11_found_batch3",
                "pull_response_11_found_compressed",
                "query_message_response_12",
                "view_message_response_33",
                "check_transaction_state_39"
            })
    void everyCapturedRecordIsRebuiltByteForByte(String name) {
        ByteBuffer body = Fixtures.command(name).body();
        List<Message> messages = Message.decodeAll(body);
        assertThat(messages).isNotEmpty();
        int at = 0;
        for (Message message : messages) {
            assertThat(StoredMessage.verify(body, at, body.limit())).isNull();
            MessageDraft draft = MessageDraft.copyOf(body, at).build();
            ByteBuffer rebuilt = ByteBuffer.wrap(draft.bytes());
            StoredMessage.patchQueueOffset(rebuilt, 0, message.queueOffset());
            StoredMessage.patchPosition(rebuilt, 0, message.position());
            StoredMessage.patchStoreTimestamp(rebuilt, 0, message.storeTimestamp());
            assertThat(rebuilt).isEqualTo(body.slice(at, message.storeSize()));
            assertThat(draft.uniqueKey()).isEqualTo(message.uniqueKey());
            assertThat(draft.tagsCode()).isEqualTo(TagsCode.of(message.tags()));
            assertThat(draft.topic()).isEqualTo(message.topic());
            at += message.storeSize();
        }
        assertThat(at).isEqualTo(body.limit());
    }

    @Test
    void aDraftWithEveryFieldReadsBack() {
        for (InetSocketAddress born : List.of(V4, V6)) {
            for (InetSocketAddress store : List.of(V4, V6)) {
                for (String topic : List.of("T", "t".repeat(127), "%RETRY%" + "g".repeat(248))) {
                    MessageDraft draft = MessageDraft.builder()
                            .topic(topic)
                            .queueId(3)
                            .flag(-4)
                            .sysFlag(SysFlag.TRANSACTION_PREPARED | SysFlag.BORN_HOST_V6 | SysFlag.STORE_HOST_V6)
                            .bornTimestamp(5)
                            .bornHost(born)
                            .storeHost(store)
                            .reconsumeTimes(6)
                            .preparedTransactionOffset(7)
                            .body(ByteBuffer.allocateDirect(4).putInt(0xCAFE).flip())
                            .properties(Map.of("KEYS", "k1  k2 ", "TAGS", "\u00e9"))
                            .build();
                    ByteBuffer record = ByteBuffer.allocate(draft.size() + 11);
                    record.put(11, draft.bytes());
                    StoredMessage.patchQueueId(record, 11, 33);
                    StoredMessage.patchQueueOffset(record, 11, 8);
                    StoredMessage.patchPosition(record, 11, 9);
                    StoredMessage.patchStoreTimestamp(record, 11, 10);
                    StoredMessage.patchPreparedTransactionOffset(record, 11, 77);
                    StoredMessage.patchSysFlag(
                            record,
                            11,
                            SysFlag.withTransactionState(
                                    StoredMessage.sysFlag(record, 11), SysFlag.TRANSACTION_COMMIT));
                    assertThat(StoredMessage.verify(record, 11, record.limit())).isNull();
                    assertThat(StoredMessage.magic(record, 11))
                            .isEqualTo(topic.length() > 127 ? StoredMessage.MAGIC_V2 : StoredMessage.MAGIC_V1);
                    Message message = Message.decode(record, 11);
                    assertThat(message.topic()).isEqualTo(topic);
                    assertThat(message.queueId()).isEqualTo(33);
                    assertThat(message.flag()).isEqualTo(-4);
                    assertThat(message.queueOffset()).isEqualTo(8);
                    assertThat(message.position()).isEqualTo(9);
                    assertThat(SysFlag.transactionState(message.sysFlag())).isEqualTo(SysFlag.TRANSACTION_COMMIT);
                    assertThat(message.bornTimestamp()).isEqualTo(5);
                    assertThat(message.bornHost()).isEqualTo(born);
                    assertThat(message.storeTimestamp()).isEqualTo(10);
                    assertThat(message.storeHost()).isEqualTo(store);
                    assertThat(message.reconsumeTimes()).isEqualTo(6);
                    assertThat(message.preparedTransactionOffset()).isEqualTo(77);
                    assertThat(message.body()).isEqualTo(new byte[] {0, 0, (byte) 0xCA, (byte) 0xFE});
                    assertThat(draft.tagsCode()).isEqualTo("\u00e9".hashCode());
                    assertThat(draft.keys()).containsExactly("k1", "k2");
                    assertThat(draft.indexKeys()).containsExactly("k1", "k2");
                    assertThat(StoredMessage.indexTerms(record, 11).keys()).containsExactly("k1", "k2");
                    assertThat(StoredMessage.topicEquals(record, 11, topic)).isTrue();
                }
            }
        }
    }

    @Test
    void anEmptyMessageHasTheSmallestSize() {
        MessageDraft draft =
                MessageDraft.builder().topic("T").bornHost(V4).storeHost(V4).build();
        assertThat(draft.size()).isEqualTo(StoredMessage.MIN_SIZE).isEqualTo(92);
        assertThat(draft.uniqueKey()).isNull();
        assertThat(draft.tagsCode()).isZero();
        assertThat(draft.indexKeys()).isEmpty();
        assertThat(StoredMessage.verify(ByteBuffer.wrap(draft.bytes()), 0, draft.size()))
                .isNull();
    }

    @Test
    void theHostBitsCannotBePatched() {
        ByteBuffer record = ByteBuffer.wrap(MessageDraft.builder()
                .topic("T")
                .bornHost(V6)
                .storeHost(V4)
                .build()
                .bytes());
        assertThatThrownBy(() -> StoredMessage.patchSysFlag(record, 0, 0)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void whatCannotBeStoredIsRefused() {
        MessageDraft.Builder builder =
                MessageDraft.builder().topic("T").bornHost(V4).storeHost(V4);
        assertThatThrownBy(() -> builder.properties(new byte[32_768]).build())
                .isInstanceOf(BadValue.class)
                .hasMessageContaining("32767")
                .hasMessageContaining("32768");
        assertThatThrownBy(
                        () -> MessageDraft.builder().bornHost(V4).storeHost(V4).build())
                .isInstanceOf(BadValue.class)
                .hasMessageContaining("topic");
        assertThatThrownBy(() -> MessageDraft.builder()
                        .topic("T")
                        .bornHost(V4)
                        .storeHost(InetSocketAddress.createUnresolved("nowhere", 1))
                        .build())
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void everyDamagedByteOfLengthsMagicAndBodyIsFound() {
        byte[] sound = Fixtures.bytes(Fixtures.STORED_MESSAGE);
        for (int at : new int[] {0, 1, 2, 3, 4, 7, 8, 11, 84, 85, 87, 88, 97, 98, 109, 110}) {
            byte[] damaged = sound.clone();
            damaged[at] ^= 0x11;
            assertThat(StoredMessage.verify(ByteBuffer.wrap(damaged), 0, damaged.length))
                    .as("byte %d", at)
                    .isNotNull();
        }
        for (int length = 0; length < sound.length; length++) {
            assertThat(StoredMessage.verify(ByteBuffer.wrap(sound), 0, length)).isNotNull();
        }
    }

    @Test
    void propertiesCanBeChangedWhileBuilding() {
        MessageDraft.Builder builder = MessageDraft.builder()
                .topic("T")
                .bornHost(V4)
                .storeHost(V4)
                .properties("UNIQ_KEY\u0001u\u0002TRAN_MSG\u0001true\u0002WAIT\u0001false");
        assertThat(builder.property("WAIT")).isEqualTo("false");
        builder.removeProperty("TRAN_MSG")
                .property("WAIT", "true")
                .appendProperties("CLUSTER\u0001c\u0002".getBytes(UTF_8));
        MessageDraft draft = builder.build();
        assertThat(draft.indexKeys()).containsExactly("u");
        assertThat(Message.decode(ByteBuffer.wrap(draft.bytes()), 0).properties())
                .isEqualTo(Map.of("UNIQ_KEY", "u", "WAIT", "true", "CLUSTER", "c"));
        builder.properties("A\u0001b").appendProperties("C\u0001d\u0002".getBytes(UTF_8));
        assertThat(MessageProperties.decode(builder.properties())).isEqualTo(Map.of("A", "b", "C", "d"));
    }

    @Test
    void aPropertyIsComparedInPlaceAsItIsRead() {
        byte[] tags = "TAGS".getBytes(StandardCharsets.UTF_8);
        byte[][] wanted = {"a".getBytes(StandardCharsets.UTF_8), "\u00fcb".getBytes(StandardCharsets.UTF_8)};
        for (String encoded : new String[] {
            "",
            "TAGS\u0001a",
            "TAGS\u0001a\u0002",
            "TAGS\u0001aa\u0002",
            "TAGS\u0001\u00fcb\u0002X\u0001y\u0002",
            "TAGS\u0001a\u0002TAGS\u0001c\u0002",
            "TAGS\u0001c\u0002TAGS\u0001a\u0002",
            "TAGS\u0001a\u0002TAGS\u0001\u0002",
            "XTAGS\u0001a\u0002",
            "TAGS\u0001",
            "TAGSa",
            "\u0001a\u0002TAGS",
            "TAGS\u0002TAGS\u0001a"
        }) {
            byte[] record = MessageDraft.builder()
                    .topic("T")
                    .bornHost(new InetSocketAddress("127.0.0.1", 1))
                    .storeHost(new InetSocketAddress("127.0.0.1", 2))
                    .properties(encoded)
                    .build()
                    .bytes();
            ByteBuffer direct = ByteBuffer.allocateDirect(record.length + 3).put(3, record);
            String read = StoredMessage.property(direct, 3, "TAGS");
            assertThat(StoredMessage.propertyIsOneOf(direct, 3, tags, wanted))
                    .as(encoded)
                    .isEqualTo("a".equals(read) || "\u00fcb".equals(read));
        }
    }
}
