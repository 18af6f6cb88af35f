/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Admin;
import io.waybill.client.ConsumeResult;
import io.waybill.client.Decision;
import io.waybill.client.Evidence.Fact;
import io.waybill.client.Groups;
import io.waybill.client.Groups.Cause;
import io.waybill.client.Groups.Finding;
import io.waybill.client.Groups.SubCause;
import io.waybill.client.Groups.Subject;
import io.waybill.client.Message;
import io.waybill.client.MessageHistory;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.StartFrom;
import io.waybill.client.TransactionListener;
import io.waybill.client.WaybillClient;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What the brokers tell of backlogs, causes and lives, as our client reads it. */
@Tag("end-to-end")
class OwnInsightTest {
    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Own own = new Own(broker);
    private Admin admin;
    private Producer producer;
    private final String topic = Own.unique("parcels");
    private final String group = Own.unique("couriers");

    @BeforeEach
    void start() {
        admin = own.client().admin();
        admin.topics().create(topic, 2);
        producer = own.client().producer("depot").build();
    }

    /** A member that handles GOOD and rejects or retries the rest; closed again when it is told to. */
    private WaybillClient member() {
        WaybillClient client = own.client();
        client.pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .onMessage(message -> switch (message.tag()) {
                    case "DEAD" -> ConsumeResult.REJECT;
                    case "AGAIN" -> ConsumeResult.retryAfter(Duration.ofMinutes(30));
                    default -> ConsumeResult.SUCCESS;
                })
                .start();
        return client;
    }

    private Message parcel(String tag, String key) {
        return Own.message(topic, tag, key, tag + " " + key);
    }

    @Test
    void theBacklogIsTold() {
        WaybillClient member = member();
        producer.send(parcel("GOOD", "k1"));
        producer.send(parcel("DEAD", "k2"));
        producer.send(parcel("AGAIN", "k3"));
        Own.await("one dead, one retrying, the rest done", () -> {
            Groups.Backlog backlog = admin.groups().backlog(group);
            return backlog.total().dead().messages() == 1
                    && backlog.total().retrying().messages() == 1
                    && backlog.total().ready().messages() == 0
                    && backlog.total().inFlight().messages() == 0;
        });
        member.close();
        for (int i = 0; i < 7; i++) {
            producer.send(parcel("GOOD", "w" + i));
        }
        producer.send(Message.to(topic)
                .tag("GOOD")
                .body("later")
                .deliverAfter(Duration.ofHours(1))
                .build());
        own.client()
                .transactionProducer(Own.unique("tx"))
                .listener(undecided())
                .build()
                .send(parcel("GOOD", "half"));
        Groups.Backlog backlog = admin.groups().backlog(group);
        assertThat(backlog.total().ready().messages()).isEqualTo(7);
        assertThat(backlog.total().ready().age()).isNotNull();
        assertThat(backlog.total().delayed().messages()).isEqualTo(1);
        assertThat(backlog.total().half().messages()).isEqualTo(1);
        assertThat(backlog.total().retrying().messages()).isEqualTo(1);
        assertThat(backlog.total().dead().messages()).isEqualTo(1);
        assertThat(backlog.total().exact()).isTrue();
        assertThat(backlog.topics()).extracting(Groups.TopicBacklog::topic).contains(topic);
    }

    private static TransactionListener undecided() {
        return new TransactionListener() {
            @Override
            public Decision execute(Message message, Object argument) {
                return Decision.UNKNOWN;
            }

            @Override
            public Decision check(ReceivedMessage message) {
                return Decision.UNKNOWN;
            }
        };
    }

    @Test
    void theDoctorNamesTheCause() {
        WaybillClient member = member();
        SendReceipt good = producer.send(parcel("GOOD", "k1"));
        SendReceipt dead = producer.send(parcel("DEAD", "k2"));
        SendReceipt again = producer.send(parcel("AGAIN", "k3"));
        SendReceipt later = producer.send(Message.to(topic)
                .tag("GOOD")
                .key("k4")
                .body("later")
                .deliverAfter(Duration.ofHours(1))
                .build());
        Own.await(
                "all to be where they stay",
                () -> cause(good) == Cause.CONSUMED
                        && cause(dead) == Cause.DEAD_LETTER
                        && cause(again) == Cause.IN_RETRY);
        assertThat(cause(later)).isEqualTo(Cause.DELAYED);
        member.close();
        SendReceipt nobody = producer.send(parcel("GOOD", "k5"));
        Own.await("nobody to be connected", () -> cause(nobody) == Cause.NOBODY_CONNECTED);
        List<Finding> byKey = admin.groups().diagnose(group, Subject.key(topic, "k2"));
        assertThat(byKey.get(0).cause()).isEqualTo(Cause.DEAD_LETTER);
        assertThat(byKey.get(0).subCause()).isEqualTo(SubCause.OPEN);
        assertThat(byKey.get(0).messageId()).isEqualTo(dead.messageId());
        assertThat(byKey.get(0).evidence().text(Fact.REASON)).isNotBlank();
        assertThat(byKey.get(0).evidence().time(Fact.DEAD_SINCE))
                .isBeforeOrEqualTo(byKey.get(0).at());
        assertThat(admin.groups().diagnose(group, Subject.message(topic, "NOSUCHMESSAGE")))
                .extracting(Finding::cause)
                .contains(Cause.NOT_FOUND);
        assertThat(admin.groups().diagnose(group, Subject.everything())).isNotEmpty();
    }

    private Cause cause(SendReceipt receipt) {
        return admin.groups()
                .diagnose(group, Subject.message(topic, receipt.messageId()))
                .get(0)
                .cause();
    }

    @Test
    void theLifeOfAMessageIsTold() {
        WaybillClient member = member();
        SendReceipt good = producer.send(parcel("GOOD", "life-1"));
        SendReceipt dead = producer.send(parcel("DEAD", "life-2"));
        Own.await(
                "the ends of both lives",
                () -> events(good).containsAll(List.of("DELIVERED", "ACKNOWLEDGED"))
                        && events(dead).contains("DEAD_LETTERED"));
        assertThat(events(good)).contains("STORED", "DELIVERED");
        MessageHistory life = admin.messages().historyByKey(topic, "life-1").get(0);
        assertThat(life.messageId()).isEqualTo(good.messageId());
        assertThat(life.storedId()).isEqualTo(good.storedId());
        assertThat(life.events())
                .allSatisfy(event -> assertThat(event.sentence()).isNotBlank());
        assertThat(life.events()).anySatisfy(event -> {
            assertThat(event.name()).isEqualTo("DELIVERED");
            assertThat(event.group()).isEqualTo(group);
            assertThat(event.client()).contains(member.clientId());
        });
        assertThat(admin.messages().history(topic, "nothing")).isEmpty();
    }

    private List<String> events(SendReceipt receipt) {
        return admin.messages().history(topic, receipt.messageId()).stream()
                .flatMap(life -> life.events().stream())
                .map(MessageHistory.Event::name)
                .toList();
    }
}
