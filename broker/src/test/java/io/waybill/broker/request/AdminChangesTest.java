/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.protocol.RequestCode;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.RequestHandler;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AdminChangesTest {
    /** Questions, and what applications, servers and name servers do: nothing an operator changes at a broker. */
    private static final Set<String> OTHERS = Set.of(
            "SEND_MESSAGE SEND_MESSAGE_V2 SEND_BATCH_MESSAGE SEND_REPLY_MESSAGE SEND_REPLY_MESSAGE_V2 PULL_MESSAGE"
                    .concat(" LITE_PULL_MESSAGE POP_MESSAGE PEEK_MESSAGE ACK_MESSAGE BATCH_ACK_MESSAGE NOTIFICATION")
                    .concat(" CHANGE_MESSAGE_INVISIBLETIME POP_ROLLBACK POLLING_INFO CONSUMER_SEND_MSG_BACK")
                    .concat(
                            " END_TRANSACTION RECALL_MESSAGE HEART_BEAT UNREGISTER_CLIENT LOCK_BATCH_MQ UNLOCK_BATCH_MQ")
                    .concat(" UPDATE_CONSUMER_OFFSET CHECK_CLIENT_CONFIG CHECK_TRANSACTION_STATE")
                    .concat(" NOTIFY_CONSUMER_IDS_CHANGED RESET_CONSUMER_CLIENT_OFFSET PUSH_REPLY_MESSAGE_TO_CLIENT")
                    .concat(" NOTIFY_MIN_BROKER_ID_CHANGE REGISTER_BROKER UNREGISTER_BROKER BROKER_HEARTBEAT")
                    .concat(" PUT_KV_CONFIG DELETE_KV_CONFIG WIPE_WRITE_PERM_OF_BROKER ADD_WRITE_PERM_OF_BROKER")
                    .concat(" DELETE_TOPIC_IN_NAMESRV REGISTER_TOPIC_IN_NAMESRV UPDATE_NAMESRV_CONFIG")
                    .concat(" DOCTOR GROUP_BACKLOG TRACE_MESSAGE INVOKE_BROKER_TO_GET_CONSUMER_STATUS")
                    .split(" "));

    /** A code that is new belongs to one of the lists: a change that leaves no line must be decided for, not forgotten. */
    @Test
    void everyCodeIsAChangeOrAQuestionOrOfAnApplication() throws IllegalAccessException {
        List<String> undecided = new ArrayList<>();
        for (Field field : RequestCode.class.getFields()) {
            String name = field.getName();
            boolean asks = name.matches("(GET|QUERY|LIST|SHOW|VIEW|SEARCH)_.*");
            String watched = AdminChanges.ALWAYS.get(field.getInt(null));
            if (watched != null) {
                assertThat(watched).isEqualTo(name);
            } else if (!asks && !OTHERS.contains(name)) {
                undecided.add(name);
            }
        }
        assertThat(undecided).isEmpty();
    }

    @Test
    void otherCodesKeepTheirHandler() {
        AdminChanges changes =
                new AdminChanges(new AdminLog(new SimulatedClock(), line -> {}), (group, connection) -> false);
        RequestHandler handler = request -> {};
        assertThat(changes.watch(RequestCode.SEND_MESSAGE_V2, handler)).isSameAs(handler);
        assertThat(changes.watch(RequestCode.PULL_MESSAGE, handler)).isSameAs(handler);
        assertThat(changes.watch(RequestCode.DELETE_TOPIC_IN_BROKER, handler)).isNotSameAs(handler);
    }
}
