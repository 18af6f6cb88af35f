/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.Fixtures;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.frame.HeaderWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each captured header is read by its record, and what the record writes says the same. */
class HeaderFixturesTest {
    /** Fields of other layers, or of no meaning to a broker. */
    private static final Set<String> NOT_OURS = Set.of("ReqT", "AccessKey", "Signature", "committed");

    private static final Map<String, Function<Fields, HeaderWriter>> READERS = new LinkedHashMap<>();

    static {
        READERS.put("send_v2_request_", SendMessageHeader::read);
        READERS.put("send_batch_request_", SendMessageHeader::read);
        READERS.put("send_reply_request_", SendMessageHeader::read);
        READERS.put("signed_send_", SendMessageHeader::read);
        READERS.put("binary_header_send_", SendMessageHeader::read);
        READERS.put("send_v2_response_310_no_permission", fields -> sink -> {});
        READERS.put("send_v2_response_", SendReply::read);
        READERS.put("send_batch_response_", SendReply::read);
        READERS.put("pull_request_", PullHeader::read);
        READERS.put("lite_pull_request_", PullHeader::read);
        READERS.put("pull_response_", PullReply::read);
        READERS.put("end_transaction_", EndTransactionHeader::read);
        READERS.put("check_transaction_state_", CheckTransactionHeader::read);
        READERS.put("query_consumer_offset_request_", QueryOffsetHeader::read);
        READERS.put("query_consumer_offset_response_14_ok", OffsetReply::read);
        READERS.put("update_consumer_offset_", UpdateOffsetHeader::read);
        READERS.put("max_offset_request_", QueueHeader::read);
        READERS.put("search_offset_request_", SearchOffsetHeader::read);
        READERS.put("send_msg_back_request_", SendBackHeader::read);
        READERS.put("unregister_client_request_", UnregisterClientHeader::read);
        READERS.put("get_consumer_list_request_", GroupHeader::read);
        READERS.put("notify_consumer_ids_changed_", GroupHeader::read);
        READERS.put("query_message_request_", QueryMessageHeader::read);
        READERS.put("query_message_response_", QueryMessageReply::read);
        READERS.put("reset_offset_request_", ResetOffsetHeader::read);
        READERS.put("get_route_request_", RouteHeader::read);
        READERS.put("binary_header_get_route_", RouteHeader::read);
        READERS.put("register_broker_request_", RegisterBrokerHeader::read);
        READERS.put("register_broker_response_", RegisterBrokerReply::read);
        READERS.put("recall_request_", RecallHeader::read);
        READERS.put("recall_response_", RecallReply::read);
        READERS.put("push_reply_request_", PushReplyHeader::read);
        READERS.put("pop_request_", PopHeader::read);
        READERS.put("pop_response_", PopReply::read);
        READERS.put("ack_request_", AckHeader::read);
        READERS.put("change_invisible_request_", ChangeInvisibleHeader::read);
        READERS.put("change_invisible_response_", ChangeInvisibleReply::read);
    }

    /** Frames whose header has no fields of its own. */
    private static final Set<String> BODY_ONLY = Set.of(
            "ack_response_200051",
            "binary_header_heartbeat_request_34",
            "check_client_config_request_46",
            "cluster_info_response_106",
            "consume_stats_response_208",
            "consumer_connection_response_203",
            "consumer_running_info_response_307",
            "get_consumer_list_response_38",
            "get_route_response_105_not_found",
            "get_route_response_105_ok",
            "heartbeat_request_34_consumer",
            "heartbeat_request_34_producer",
            "heartbeat_response_34",
            "lock_batch_mq_request_41",
            "lock_batch_mq_response_41",
            "producer_connection_response_204",
            "query_assignment_request_400",
            "query_assignment_response_400_pop",
            "query_consumer_offset_response_14_not_found",
            "reset_offset_response_222",
            "send_msg_back_response_36",
            "set_message_request_mode_401",
            "topic_stats_response_202",
            "unlock_batch_mq_request_42",
            "view_message_response_33");

    static Stream<String> frames() {
        return Fixtures.frames().stream().filter(name -> !BODY_ONLY.contains(name));
    }

    @ParameterizedTest
    @MethodSource("frames")
    void readsAndWritesTheSame(String name) {
        Command command = Fixtures.command(name);
        HeaderWriter header = reader(name).apply(command.fields());
        Map<String, String> expected = command.fields().toMap();
        expected.keySet().removeAll(NOT_OURS);
        if (name.startsWith("recall_response")) {
            expected.remove("MSG_REGION");
        }
        Command written = Command.request(command.code()).header(header).build();
        assertThat(Fixtures.decode(FrameEncoder.encode(written)).fields().toMap())
                .containsAllEntriesOf(expected);
        if (header instanceof Record
                && !(header instanceof SendMessageHeader)
                && !(header instanceof PushReplyHeader)) {
            assertThat(reader(name).apply(written.fields())).isEqualTo(header);
        }
    }

    private static Function<Fields, HeaderWriter> reader(String name) {
        for (Map.Entry<String, Function<Fields, HeaderWriter>> one : READERS.entrySet()) {
            if (name.startsWith(one.getKey())) {
                return one.getValue();
            }
        }
        throw new AssertionError("no header record for " + name);
    }
}
