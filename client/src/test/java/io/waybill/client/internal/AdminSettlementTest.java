/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.Admin;
import io.waybill.client.DeadLetters;
import io.waybill.client.DeadLetters.Outcome;
import io.waybill.client.DeadLetters.Redrive;
import io.waybill.client.DeadLetters.Selection;
import io.waybill.client.Decision;
import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedMessages;
import io.waybill.client.DelayedMessages.Selector;
import io.waybill.client.Evidence;
import io.waybill.client.Evidence.Fact;
import io.waybill.client.Groups;
import io.waybill.client.Groups.Cause;
import io.waybill.client.Groups.SubCause;
import io.waybill.client.Groups.Subject;
import io.waybill.client.MessageHistory;
import io.waybill.client.Quarantine;
import io.waybill.client.Topics;
import io.waybill.client.TransactionInspector;
import io.waybill.client.TransactionInspector.Query;
import io.waybill.client.WaybillException;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What each question of the tools looks like on the wire, and how each answer is read. */
class AdminSettlementTest {
    private final FakeBroker broker = new FakeBroker().topic("orders", 2);
    private final ConnectedClient client = ConnectedClient.connect(broker.address(), ProducerTest.QUICK);
    private final Admin admin = client.admin();

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    private void nextJson(int code, String json) {
        broker.next(
                code,
                request -> request.reply(Command.response(0, null)
                        .body(json.getBytes(StandardCharsets.UTF_8))
                        .build()));
    }

    private JsonObject asked(int code) {
        List<Command> seen = broker.seen(code);
        return Json.parse(seen.get(seen.size() - 1).body());
    }

    @Test
    void transactionsAreAskedForByAgeAndShownWithTheirChecks() {
        nextJson(RequestCode.LIST_TRANSACTIONS, "{\"transactions\":[]}");
        admin.transactions()
                .list(Query.first(7)
                        .topic("orders")
                        .producerGroup("pg")
                        .olderThan(Duration.ofSeconds(2))
                        .youngerThan(Duration.ofSeconds(9)));
        assertThat(asked(RequestCode.LIST_TRANSACTIONS))
                .isEqualTo(Json.parse("{\"max\":7,\"topic\":\"orders\",\"group\":\"pg\",\"minAgeMillis\":2000,"
                        + "\"maxAgeMillis\":9000}"));

        nextJson(
                RequestCode.SHOW_TRANSACTION,
                "{\"state\":\"OPEN\",\"transaction\":{\"transactionId\":\"TX\",\"checkHistory\":[{\"timestamp\":5,"
                        + "\"number\":1,\"client\":\"c1\",\"why\":\"the sender\",\"answer\":\"UNKNOWN\"},{\"timestamp\":6,\"number\":2,"
                        + "\"client\":\"c2\"}]},\"properties\":{\"KEYS\":\"a\"}}");
        TransactionInspector.Details details = admin.transactions().find("TX").orElseThrow();
        assertThat(details.checks())
                .containsExactly(
                        new TransactionInspector.Check(Instant.ofEpochMilli(5), 1, "c1", "the sender", "UNKNOWN"),
                        new TransactionInspector.Check(Instant.ofEpochMilli(6), 2, "c2", null, null));
        assertThat(details.properties()).containsEntry("KEYS", "a");

        nextJson(RequestCode.SHOW_TRANSACTION, "{\"state\":\"OPEN\",\"transaction\":{}}");
        nextJson(RequestCode.DECIDE_TRANSACTION, "{\"state\":\"ROLLED_BACK\"}");
        nextJson(RequestCode.SHOW_TRANSACTION, "{\"state\":\"ROLLED_BACK\"}");
        admin.transactions().decide("TX", Decision.ROLLBACK, "stale", "ann");
        assertThat(asked(RequestCode.DECIDE_TRANSACTION))
                .isEqualTo(Json.parse(
                        "{\"id\":\"TX\",\"decision\":\"ROLLBACK\",\"reason\":\"stale\",\"operator\":\"ann\"}"));
    }

    private static String letter(long offset, String state) {
        return "{\"offset\":" + offset + ",\"offsetMsgId\":\"0A\",\"uniqueKey\":\"U" + offset
                + "\",\"originTopic\":\"orders\",\"tries\":17,\"firstMillis\":10,\"deadMillis\":" + (20 + offset)
                + ",\"reason\":\"no\",\"keys\":\"a b\",\"tags\":\"T\",\"bodySize\":3,\"state\":\"" + state + "\"}";
    }

    @Test
    void deadLettersAreListedAndSettledInSteps() {
        nextJson(
                RequestCode.LIST_DEAD,
                "{\"group\":\"g\",\"total\":3,\"open\":2,\"deadLetters\":[" + letter(4, "OPEN") + ","
                        + letter(2, "REDRIVEN") + "]}");
        DeadLetters.Page page = admin.deadLetters().list("g", 0, 10, true);
        assertThat(page.total()).isEqualTo(3);
        assertThat(page.deadLetters())
                .extracting(DeadLetters.DeadLetter::offset)
                .containsExactly(2L, 4L);
        assertThat(page.deadLetters().get(1).keys()).containsExactly("a", "b");
        assertThat(page.deadLetters().get(0).state()).isEqualTo(DeadLetters.State.REDRIVEN);

        // All that are open: the list is read to its end first.
        nextJson(RequestCode.LIST_DEAD, "{\"deadLetters\":[" + letter(4, "OPEN") + "," + letter(5, "OPEN") + "]}");
        nextJson(RequestCode.LIST_DEAD, "{\"deadLetters\":[]}");
        nextJson(
                RequestCode.SETTLE_DEAD,
                "{\"results\":[{\"offset\":4,\"answer\":\"REDRIVEN\",\"offsetMsgId\":\"0B\"}]}");
        nextJson(RequestCode.SETTLE_DEAD, "{\"results\":[{\"offset\":5,\"answer\":\"FAILED\",\"text\":\"full\"}]}");
        List<Outcome> outcomes = admin.deadLetters()
                .redrive(
                        "g",
                        Selection.allOpen(),
                        Redrive.unchanged().rate(2).property("a", "1").body(new byte[] {1}),
                        "ann",
                        "fixed");
        assertThat(outcomes)
                .containsExactly(
                        new Outcome(FakeBroker.NAME, 4, Outcome.Answer.REDRIVEN, "0B", null),
                        new Outcome(FakeBroker.NAME, 5, Outcome.Answer.FAILED, null, "full"));
        assertThat(broker.seen(RequestCode.SETTLE_DEAD)).hasSize(2);
        assertThat(asked(RequestCode.SETTLE_DEAD))
                .isEqualTo(Json.parse("{\"group\":\"g\",\"action\":\"REDRIVE\",\"by\":\"ann\",\"offsets\":[5],"
                        + "\"reason\":\"fixed\",\"toGroupOnly\":false,\"edit\":{\"properties\":{\"a\":\"1\"},"
                        + "\"body\":\"AQ==\"}}"));
        broker.refuseNext(RequestCode.LIST_DEAD, 1, "no such group");
        // An empty list of a group that nobody knows would be believed.
        assertThatThrownBy(() -> admin.deadLetters().list("h", 0, 10, true))
                .isInstanceOf(WaybillException.class)
                .hasMessageContaining("no broker knows group h");
    }

    @Test
    void delayedMessagesAreListedCancelledAndMoved() {
        nextJson(
                RequestCode.LIST_TIMERS,
                "{\"brokerName\":\"broker-a\",\"pending\":9,\"timers\":[{\"handle\":77,\"uniqueKey\":\"U\",\"keys\":\"k\","
                        + "\"topic\":\"orders\",\"queueId\":1,\"deliverTimeMillis\":5000,\"storeTimestamp\":4000,"
                        + "\"unless\":\"p|k|PAID\"}]}");
        DelayedMessages.Waiting waiting = admin.delayed().list("orders", "k", 5);
        assertThat(waiting.pending()).isEqualTo(9);
        DelayedMessages.DelayedMessage one = waiting.messages().get(0);
        assertThat(one.unless()).isEqualTo("p|k|PAID");

        nextJson(
                RequestCode.CHANGE_TIMER,
                "{\"answer\":\"MOVED\",\"messages\":[{\"handle\":77,\"uniqueKey\":\"U\",\"offsetMsgId\":\"0A\","
                        + "\"answer\":\"MOVED\",\"deliverTimeMillis\":6000}]}");
        DelayedChange moved = admin.delayed().reschedule(one.selector(), Instant.ofEpochMilli(6_000), "ann");
        assertThat(moved.done()).isTrue();
        assertThat(moved.messages().get(0).deliverAt()).isEqualTo(Instant.ofEpochMilli(6_000));
        assertThat(asked(RequestCode.CHANGE_TIMER))
                .isEqualTo(Json.parse("{\"topic\":\"orders\",\"handle\":77,\"action\":\"RESCHEDULE\","
                        + "\"deliverTimeMillis\":6000,\"by\":\"ann\"}"));
        nextJson(RequestCode.CHANGE_TIMER, "{\"answer\":\"NEVER_EXISTED\",\"messages\":[]}");
        assertThat(admin.delayed().cancel(Selector.key("orders", "x"), "ann").answer())
                .isEqualTo(DelayedChange.Answer.NEVER_EXISTED);
        assertThatThrownBy(() -> admin.delayed().cancel(Selector.handle("orders", "nowhere", 1), "ann"))
                .hasMessageContaining("nowhere");
        nextJson(RequestCode.CHANGE_TIMER, "{\"answer\":\"PERHAPS\"}");
        assertThatThrownBy(() -> admin.delayed().cancel(Selector.key("orders", "x"), "ann"))
                .hasMessageContaining("PERHAPS");
    }

    @Test
    void quarantinedKeysAreListedQuarantinedAndReleased() {
        nextJson(
                RequestCode.QUARANTINE,
                "{\"keys\":[{\"topic\":\"orders\",\"key\":\"k\",\"messages\":4,\"sinceMillis\":9,\"reason\":\"failed\","
                        + "\"by\":\"c\",\"state\":\"DISCARDING\"}]}");
        assertThat(admin.quarantine().list("g"))
                .containsExactly(new Quarantine.QuarantinedKey(
                        FakeBroker.NAME, "orders", "k", 4, Instant.ofEpochMilli(9), "failed", "c", "DISCARDING"));
        nextJson(RequestCode.QUARANTINE, "{\"answer\":\"QUARANTINED\"}");
        assertThat(admin.quarantine().add("g", "orders", "k", "odd", "ann")).isEqualTo(1);
        nextJson(RequestCode.QUARANTINE, "{\"answer\":\"RELEASED\",\"messages\":4}");
        assertThat(admin.quarantine().release("g", "orders", "k", "ann")).isEqualTo(4);
        assertThat(asked(RequestCode.QUARANTINE))
                .isEqualTo(Json.parse("{\"group\":\"g\",\"action\":\"RELEASE\",\"topic\":\"orders\",\"key\":\"k\","
                        + "\"by\":\"ann\"}"));
        broker.refuseNext(RequestCode.QUARANTINE, 1, "not quarantined");
        assertThatThrownBy(() -> admin.quarantine().discard("g", "orders", "k", "old", "ann"))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.NOT_FOUND));
    }

    @Test
    void backlogCausesAndLivesAreRead() {
        nextJson(
                RequestCode.GROUP_BACKLOG,
                "{\"group\":\"g\",\"topics\":[{\"topic\":\"orders\",\"ready\":3,\"oldestReadySeconds\":1.5,\"dead\":1}],"
                        + "\"total\":{\"ready\":3,\"oldestReadySeconds\":1.5,\"dead\":1,\"exact\":false}}");
        Groups.Backlog backlog = admin.groups().backlog("g");
        assertThat(backlog.topics().get(0).ready()).isEqualTo(new Groups.Amount(3, Duration.ofMillis(1_500)));
        assertThat(backlog.total().dead()).isEqualTo(new Groups.Amount(1, null));
        assertThat(backlog.total().exact()).isFalse();
        broker.refuseNext(RequestCode.GROUP_BACKLOG, 1, "no such group");
        assertThatThrownBy(() -> admin.groups().backlog("h")).hasMessageContaining("no broker knows group h");

        nextJson(
                RequestCode.DOCTOR,
                "{\"nowMillis\":9,\"findings\":[{\"cause\":\"DELAYED\",\"subCause\":\"MESSAGE\",\"topic\":\"orders\",\"queueId\":1,"
                        + "\"offsetMsgId\":\"0A\",\"evidence\":{\"deliverTime\":5,\"by\":\"x\",\"checks\":3,\"groupExists\":true,"
                        + "\"addresses\":[\"a\",\"b\"],\"until\":7,\"deep\":{\"a\":1}}},"
                        + "{\"cause\":\"NEWER\",\"uniqueKey\":\"U\",\"offsetMsgId\":\"0A\"},"
                        + "{\"cause\":\"HALF\",\"subCause\":\"TORN\",\"evidence\":{\"checks\":\"many\",\"nextCheck\":\"soon\",\"addresses\":1}}]}");
        List<Groups.Finding> findings = admin.groups().diagnose("g", Subject.message("orders", "U"));
        assertThat(findings).extracting(Groups.Finding::cause).containsExactly(Cause.DELAYED, Cause.OTHER, Cause.HALF);
        assertThat(findings)
                .extracting(Groups.Finding::subCause)
                .containsExactly(SubCause.MESSAGE, null, SubCause.OTHER);
        assertThat(findings)
                .extracting(Groups.Finding::causeName)
                .containsExactly("DELAYED/MESSAGE", "NEWER", "HALF/TORN");
        assertThat(findings).extracting(Groups.Finding::messageId).containsExactly("0A", "U", null);
        assertThat(findings).extracting(Groups.Finding::at).containsOnly(Instant.ofEpochMilli(9));
        Evidence evidence = findings.get(0).evidence();
        assertThat(evidence.time(Fact.DELIVER_TIME)).isEqualTo(Instant.ofEpochMilli(5));
        assertThat(evidence.text(Fact.BY)).isEqualTo("x");
        assertThat(evidence.number(Fact.CHECKS)).isEqualTo(3);
        assertThat(evidence.isSet(Fact.GROUP_EXISTS)).isTrue();
        assertThat(evidence.names(Fact.ADDRESSES)).containsExactly("a", "b");
        assertThat(evidence.facts()).containsEntry("until", 7L).containsEntry("deep", "{\"a\":1}");
        assertThat(findings.get(1).queueId()).isEqualTo(-1);
        assertThat(findings.get(1).evidence().facts()).isEmpty();
        Evidence wrong = findings.get(2).evidence();
        assertThat(wrong.number(Fact.CHECKS)).isNull();
        assertThat(wrong.time(Fact.NEXT_CHECK)).isNull();
        assertThat(wrong.names(Fact.ADDRESSES)).isEmpty();
        assertThat(wrong.facts()).containsEntry("checks", "many").containsEntry("nextCheck", "soon");

        nextJson(
                RequestCode.TRACE_MESSAGE,
                "{\"messages\":[{\"topic\":\"orders\",\"uniqueKey\":\"U\",\"offsetMsgId\":\"0A\",\"events\":["
                        + "{\"timestamp\":5,\"event\":\"DELIVERED\",\"group\":\"g\",\"client\":\"c\",\"sentence\":\"s\","
                        + "\"queueId\":3}]}]}");
        assertThat(admin.messages().history("orders", "U").get(0).events())
                .containsExactly(new MessageHistory.Event(
                        Instant.ofEpochMilli(5), "DELIVERED", "g", "c", "s", Map.of("queueId", "3")));
        broker.refuseNext(RequestCode.TRACE_MESSAGE, 1, "none");
        assertThat(admin.messages().historyByKey(null, "k")).isEmpty();
    }

    @Test
    void attributesOfGroupsAndTopicsGoAsChanges() {
        String old = new String(
                SubscriptionGroupConfig.of("g")
                        .withAttributes(Map.of("waybill.rate", "5", "x", "y"))
                        .toJson(),
                StandardCharsets.UTF_8);
        nextJson(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, old);
        Groups.GroupSettings settings = admin.groups().settings("g");
        assertThat(settings.rate()).contains("5");
        nextJson(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, old);
        nextJson(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, "{}");
        admin.groups()
                .put(settings.attribute("waybill.rate", "9")
                        .attribute("x", null)
                        .backoff(Groups.Backoff.exponential(Duration.ofSeconds(1), Duration.ofSeconds(30), 3)));
        JsonObject put = asked(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP);
        assertThat(put.getStringMap("attributes")).isEqualTo(Map.of("+waybill.rate", "9", "-x", ""));
        assertThat(put.getObject("groupRetryPolicy").getString("type")).isEqualTo("EXPONENTIAL");
        assertThat(put.getObject("groupRetryPolicy")
                        .getObject("exponentialRetryPolicy")
                        .getLong("multiplier", 0))
                .isEqualTo(3);

        String topic = "{\"topicName\":\"orders\",\"readQueueNums\":2,\"writeQueueNums\":2,\"perm\":6,"
                + "\"attributes\":{\"waybill.dedup\":\"7d\"}}";
        nextJson(RequestCode.GET_TOPIC_CONFIG, topic);
        assertThat(admin.topics().attributes("orders")).isEqualTo(Map.of(Topics.DEDUP, "7d"));
        nextJson(RequestCode.GET_TOPIC_CONFIG, topic);
        admin.topics().changeAttributes("orders", Map.of(Topics.DEDUP, "1d"), Set.of("other"));
        Command changed = broker.seen(RequestCode.UPDATE_AND_CREATE_TOPIC).get(0);
        assertThat(changed.fields().get("attributes")).isEqualTo("+waybill.dedup=1d,-other");
        assertThat(changed.fields().get("writeQueueNums")).isEqualTo("2");
    }
}
