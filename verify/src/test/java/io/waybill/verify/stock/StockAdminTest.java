/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.ResponseCode;
import org.apache.rocketmq.remoting.protocol.admin.ConsumeStats;
import org.apache.rocketmq.remoting.protocol.body.BrokerStatsData;
import org.apache.rocketmq.remoting.protocol.body.CMResult;
import org.apache.rocketmq.remoting.protocol.body.ConsumerRunningInfo;
import org.apache.rocketmq.remoting.protocol.body.QueryConsumeQueueResponseBody;
import org.apache.rocketmq.remoting.protocol.body.QueueTimeSpan;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.apache.rocketmq.tools.admin.api.MessageTrack;
import org.apache.rocketmq.tools.admin.api.TrackType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What operators ask through the stock admin client, of topics, groups, progress, messages and the broker. */
@Tag("end-to-end")
class StockAdminTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private static final Stock stock = new Stock(broker);
    private static DefaultMQAdminExt admin;
    private static DefaultMQProducer producer;
    private static String address;

    @BeforeAll
    static void start() throws Exception {
        producer = stock.producer();
        address = broker.brokerAddress();
        admin = new DefaultMQAdminExt();
        admin.setNamesrvAddr(broker.namesrvAddress());
        admin.setInstanceName(Stock.unique("admin"));
        admin.start();
    }

    @AfterAll
    static void stop() throws Exception {
        admin.shutdown();
    }

    private static List<SendResult> send(String topic, int count) throws Exception {
        List<SendResult> sent = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            sent.add(producer.send(message(topic, "tag", "key-" + i, "m" + i)));
        }
        return sent;
    }

    private static String topic(int queues) throws Exception {
        String topic = Stock.unique("admin-topic");
        admin.createAndUpdateTopicConfig(address, new TopicConfig(topic, queues, queues));
        return topic;
    }

    private static String group() throws Exception {
        String group = Stock.unique("admin-group");
        SubscriptionGroupConfig config = new SubscriptionGroupConfig();
        config.setGroupName(group);
        admin.createAndUpdateSubscriptionGroupConfig(address, config);
        return group;
    }

    private static MessageQueue queue(String topic) {
        return new MessageQueue(topic, "broker-a", 0);
    }

    private static long committed(String group, String topic) throws Exception {
        return admin.examineConsumeStats(group, topic)
                .getOffsetTable()
                .get(queue(topic))
                .getConsumerOffset();
    }

    /** A group that consumed all of a topic of one queue, and its progress is known to the broker. */
    private static DefaultMQPushConsumer consumed(String group, String topic, int count, AtomicInteger seen)
            throws Exception {
        DefaultMQPushConsumer consumer = stock.consumer(group, topic, "*", (messages, context) -> {
            seen.addAndGet(messages.size());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        Stock.await("messages", LIMIT, () -> seen.get() >= count);
        Stock.await("progress", LIMIT, () -> {
            consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
            try {
                return committed(group, topic) >= count;
            } catch (MQClientException e) {
                return false; // its retry topic has no route yet
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
        return consumer;
    }

    @Test
    void aRunningConsumerTellsHowItIsDoingAndConsumesAMessageAskedFor() throws Exception {
        String topic = topic(1);
        String group = group();
        SendResult sent = send(topic, 1).get(0);
        AtomicInteger seen = new AtomicInteger();
        DefaultMQPushConsumer consumer = consumed(group, topic, 1, seen);
        String client = admin.examineConsumerConnectionInfo(group)
                .getConnectionSet()
                .iterator()
                .next()
                .getClientId();

        ConsumerRunningInfo info = admin.getConsumerRunningInfo(group, client, true);
        assertThat(info.getMqTable()).containsKey(queue(topic));
        assertThat(info.getJstack()).isNotBlank();
        assertThat(admin.consumeMessageDirectly(group, client, topic, sent.getOffsetMsgId())
                        .getConsumeResult())
                .isEqualTo(CMResult.CR_SUCCESS);
        assertThat(seen).hasValue(2);
        assertThat(admin.getConsumeStatus(topic, group, "")).isEqualTo(Map.of(client, Map.of(queue(topic), 1L)));
        assertThat(admin.messageTrackDetail(admin.viewMessage(topic, sent.getOffsetMsgId())))
                .extracting(MessageTrack::getConsumerGroup, MessageTrack::getTrackType)
                .containsExactly(org.assertj.core.groups.Tuple.tuple(group, TrackType.CONSUMED));
        assertThat(admin.getAllProducerInfo(address).getData()).containsKey(producer.getProducerGroup());

        assertThatThrownBy(() -> admin.getConsumerRunningInfo(group, "nobody", false))
                .satisfies(e -> assertThat(code(e)).isEqualTo(ResponseCode.CONSUMER_NOT_ONLINE));
        consumer.suspend();
    }

    private static int code(Throwable e) {
        if (e instanceof MQBrokerException refusal) {
            return refusal.getResponseCode();
        }
        return e instanceof MQClientException refusal ? refusal.getResponseCode() : -1;
    }

    @Test
    void offsetsAreClonedResetToOneQueuesOffsetAndSkipped() throws Exception {
        String topic = topic(1);
        String source = group();
        String target = group();
        send(topic, 5);
        admin.updateConsumeOffset(address, source, queue(topic), 3);
        assertThat(committed(source, topic)).isEqualTo(3);

        admin.cloneGroupOffset(source, target, topic, true);
        Stock.Inbox inbox = stock.consume(target, topic, "*");
        inbox.awaitCount(2, LIMIT);
        assertThat(inbox.bodies()).containsExactlyInAnyOrder("m3", "m4");

        admin.resetOffsetByQueueId(address, target, topic, 0, 4);
        inbox.awaitCount(3, LIMIT);
        assertThat(inbox.bodies()).filteredOn("m4"::equals).hasSize(2);

        String lagging = group();
        admin.updateConsumeOffset(address, lagging, queue(topic), 1);
        admin.resetOffsetByTimestamp(topic, lagging, -1, true);
        assertThat(committed(lagging, topic)).isEqualTo(5);
        assertThatThrownBy(() -> admin.cloneGroupOffset(source, Stock.unique("nobody"), topic, true))
                .satisfies(e -> assertThat(code(e)).isEqualTo(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST));
    }

    @Test
    void aDeletedTopicComesBackEmptyAndNobodySkipsWhatIsNew() throws Exception {
        String topic = topic(1);
        String group = group();
        send(topic, 4);
        admin.updateConsumeOffset(address, group, queue(topic), 2);

        assertThatThrownBy(() -> admin.deleteTopicInBroker(Set.of(address), topic))
                .as("it has unread messages: at the second request only")
                .satisfies(e -> assertThat(code(e)).isEqualTo(ResponseCode.ILLEGAL_OPERATION))
                .hasMessageContaining("2 messages that group " + group);
        admin.deleteTopicInBroker(Set.of(address), topic);
        admin.deleteTopicInNameServer(Set.of(broker.namesrvAddress()), topic);
        assertThatThrownBy(() -> admin.examineTopicConfig(address, topic))
                .satisfies(e -> assertThat(code(e)).isEqualTo(ResponseCode.TOPIC_NOT_EXIST));
        assertThat(admin.fetchAllTopicList().getTopicList()).doesNotContain(topic);

        admin.createAndUpdateTopicConfig(address, new TopicConfig(topic, 1, 1));
        SendResult first = producer.send(message(topic, "", "", "new"));
        assertThat(first.getQueueOffset()).isEqualTo(4);
        assertThat(admin.minOffset(queue(topic))).isEqualTo(4);
        assertThatThrownBy(() -> admin.queryMessage(topic, "key-1", 32, 0, Long.MAX_VALUE))
                .isInstanceOf(MQClientException.class);
        Stock.Inbox inbox = stock.consume(group, topic, "*");
        inbox.awaitCount(1, LIMIT);
        assertThat(inbox.bodies()).containsExactly("new");
    }

    @Test
    void aDeletedGroupForgetsItsProgressWhenAsked() throws Exception {
        String topic = topic(1);
        send(topic, 2);
        String kept = group();
        String cleaned = group();
        admin.updateConsumeOffset(address, kept, queue(topic), 1);
        admin.updateConsumeOffset(address, cleaned, queue(topic), 1);
        admin.deleteSubscriptionGroup(address, kept, false);
        admin.deleteSubscriptionGroup(address, cleaned, true);

        assertThat(admin.getAllSubscriptionGroup(address, 3_000).getSubscriptionGroupTable())
                .doesNotContainKeys(kept, cleaned);
        assertThat(admin.queryTopicConsumeByWho(topic).getGroupList()).containsExactly(kept);
    }

    @Test
    void topicsAndGroupsAreMadeManyAtOnceAndListed() throws Exception {
        String one = Stock.unique("many");
        String two = Stock.unique("many");
        admin.createAndUpdateTopicConfigList(address, List.of(new TopicConfig(one, 1, 1), new TopicConfig(two, 2, 2)));
        assertThat(admin.examineTopicConfig(address, two).getReadQueueNums()).isEqualTo(2);
        assertThat(admin.getAllTopicConfig(address, 3_000).getTopicConfigTable())
                .containsKeys(one, two);
        assertThat(admin.fetchTopicsByCLuster("DefaultCluster").getTopicList()).contains(one, two);
        assertThat(admin.getTopicClusterList(one)).containsExactly("DefaultCluster");
        SubscriptionGroupConfig first = new SubscriptionGroupConfig();
        first.setGroupName(one);
        SubscriptionGroupConfig second = new SubscriptionGroupConfig();
        second.setGroupName(two);
        second.setRetryMaxTimes(3);
        admin.createAndUpdateSubscriptionGroupConfigList(address, List.of(first, second));
        assertThat(admin.examineSubscriptionGroupConfig(address, two).getRetryMaxTimes())
                .isEqualTo(3);
        assertThat(admin.getDefaultMQAdminExtImpl()
                        .getMqClientInstance()
                        .getMQClientAPIImpl()
                        .getSystemTopicListFromBroker(address, 3_000)
                        .getTopicList())
                .contains("SELF_TEST_TOPIC", "broker-a")
                .doesNotContain(one);
    }

    @Test
    void theProgressOfGroupsIsToldFromEverySide() throws Exception {
        String topic = topic(1);
        String group = group();
        send(topic, 3);
        admin.updateConsumeOffset(address, group, queue(topic), 1);
        List<MessageExt> found = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            found.addAll(
                    admin.queryMessage(topic, "key-" + i, 32, 0, Long.MAX_VALUE).getMessageList());
        }

        List<QueueTimeSpan> spans = admin.getDefaultMQAdminExtImpl()
                .getMqClientInstance()
                .getMQClientAPIImpl()
                .queryConsumeTimeSpan(address, topic, group, 3_000);
        assertThat(spans).hasSize(1);
        assertThat(spans.get(0).getMinTimeStamp()).isEqualTo(found.get(0).getStoreTimestamp());
        assertThat(spans.get(0).getMaxTimeStamp()).isEqualTo(found.get(2).getStoreTimestamp());
        assertThat(spans.get(0).getConsumeTimeStamp()).isEqualTo(found.get(0).getStoreTimestamp());
        assertThat(spans.get(0).getDelayTime()).isNotNegative();
        assertThat(admin.getDefaultMQAdminExtImpl()
                        .getMqClientInstance()
                        .getMQClientAPIImpl()
                        .queryTopicsByConsumer(address, group, 3_000)
                        .getTopicList())
                .containsExactly(topic);
        assertThat(admin.fetchConsumeStatsInBroker(address, false, 3_000).getConsumeStatsList().stream()
                        .filter(one -> one.containsKey(group))
                        .findFirst()
                        .orElseThrow()
                        .get(group)
                        .stream()
                        .mapToLong(ConsumeStats::computeTotalDiff))
                .containsExactly(2L);
        assertThatThrownBy(() -> admin.examineConsumerConnectionInfo(group)).isInstanceOf(Exception.class);

        Stock.Inbox inbox = stock.consume(group, topic, "tag || other");
        inbox.awaitCount(2, LIMIT);
        assertThat(admin.querySubscription(group, topic).getSubString()).isEqualTo("tag || other");
        QueryConsumeQueueResponseBody entries = admin.queryConsumeQueue(address, topic, 0, 1, 5, group);
        assertThat(entries.getMaxQueueIndex()).isEqualTo(3);
        assertThat(entries.getQueueData())
                .hasSize(2)
                .allMatch(entry -> entry.isEval() && entry.getTagsCode() == "tag".hashCode());
        assertThat(entries.getQueueData().get(0).getPhysicOffset())
                .isEqualTo(found.get(1).getCommitLogOffset());
    }

    @Test
    void aGroupIsForbiddenATopicAndAllowedItAgain() throws Exception {
        String topic = topic(1);
        String group = group();
        assertThat(admin.updateAndGetGroupReadForbidden(address, group, topic, false)
                        .getReadable())
                .isFalse();
        assertThat(admin.updateAndGetGroupReadForbidden(address, group, topic, null)
                        .getReadable())
                .isFalse();
        Stock.Inbox inbox = stock.consume(group, topic, "*");
        Stock.Inbox other = stock.consume(group(), topic, "*");
        send(topic, 2);
        other.awaitCount(2, LIMIT);
        assertThat(inbox.messages()).isEmpty();
        admin.updateAndGetGroupReadForbidden(address, group, topic, true);
        inbox.awaitCount(2, LIMIT);
    }

    @Test
    void figuresCountWhatWentThrough() throws Exception {
        String topic = topic(1);
        String group = group();
        send(topic, 10);
        consumed(group, topic, 10, new AtomicInteger());
        BrokerStatsData put = admin.viewBrokerStatsData(address, "TOPIC_PUT_NUMS", topic);
        assertThat(put.getStatsMinute().getSum()).isEqualTo(10);
        assertThat(put.getStatsDay().getSum()).isEqualTo(10);
        assertThat(put.getStatsMinute().getTps()).isPositive();
        assertThat(admin.viewBrokerStatsData(address, "TOPIC_PUT_SIZE", topic)
                        .getStatsMinute()
                        .getAvgpt())
                .isGreaterThan(100);
        assertThat(admin.viewBrokerStatsData(address, "GROUP_GET_NUMS", topic + "@" + group)
                        .getStatsHour()
                        .getSum())
                .isEqualTo(10);
        assertThatThrownBy(() -> admin.viewBrokerStatsData(address, "TOPIC_PUT_NUMS", "nothing"))
                .isInstanceOf(MQClientException.class);
        assertThat(admin.examineTopicStats(address, topic).getTopicPutTps()).isPositive();
        assertThat(admin.examineConsumeStats(address, group, topic, 3_000).getConsumeTps())
                .isPositive();
        Map<String, String> figures = admin.fetchBrokerRuntimeStats(address).getTable();
        assertThat(Double.parseDouble(figures.get("putTps").split(" ")[0])).isPositive();
        assertThat(Long.parseLong(figures.get("msgGetTotalTodayNow"))).isGreaterThanOrEqualTo(10);
    }

    @Test
    void settingsAreShownAndCannotBeChangedWhileItRuns() throws Exception {
        Properties settings = admin.getBrokerConfig(address);
        assertThat(settings)
                .containsEntry("brokerName", "broker-a")
                .containsEntry("flushDiskType", "SYNC_FLUSH")
                .containsKeys("maxMessageSize", "messageDelayLevel", "offsetFlushMillis");
        Properties wish = new Properties();
        wish.setProperty("maxMessageSize", "1");
        assertThatThrownBy(() -> admin.updateBrokerConfig(address, wish)).hasMessageContaining("read at its start");
        assertThat(admin.getNameServerConfig(List.of(broker.namesrvAddress())).get(broker.namesrvAddress()))
                .containsKey("brokerExpiryMillis");
        assertThatThrownBy(() -> admin.updateNameServerConfig(wish, List.of(broker.namesrvAddress())))
                .hasMessageContaining("read at its start");
        assertThat(admin.cleanExpiredConsumerQueueByAddr(address)).isTrue();
        assertThat(admin.deleteExpiredCommitLogByAddr(address)).isTrue();
        assertThat(admin.cleanUnusedTopicByAddr(address)).isTrue();
    }

    @Test
    void messagesAreFoundByKeyWithinATimeAndNoMoreThanAskedFor() throws Exception {
        String topic = topic(1);
        List<SendResult> sent = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            sent.add(producer.send(message(topic, "", "same", "m" + i)));
        }
        List<MessageExt> all =
                admin.queryMessage(topic, "same", 32, 0, Long.MAX_VALUE).getMessageList();
        assertThat(all).extracting(Stock::text).containsExactlyInAnyOrder("m0", "m1", "m2", "m3", "m4", "m5");
        assertThat(admin.queryMessage(topic, "same", 4, 0, Long.MAX_VALUE).getMessageList())
                .hasSize(4);
        long third = all.stream()
                .filter(m -> Stock.text(m).equals("m3"))
                .findFirst()
                .orElseThrow()
                .getStoreTimestamp();
        assertThat(admin.queryMessage(topic, "same", 32, third, Long.MAX_VALUE).getMessageList())
                .hasSize((int)
                        all.stream().filter(m -> m.getStoreTimestamp() >= third).count())
                .allMatch(m -> m.getStoreTimestamp() >= third);
        assertThat(admin.queryMessage(topic, "same", 32, 0, third).getMessageList())
                .hasSize((int)
                        all.stream().filter(m -> m.getStoreTimestamp() <= third).count());
        assertThat(Stock.text(
                        admin.queryMessage("DefaultCluster", topic, sent.get(2).getMsgId())))
                .isEqualTo("m2");
        assertThat(Stock.text(admin.viewMessage(topic, sent.get(4).getOffsetMsgId())))
                .isEqualTo("m4");
        assertThatThrownBy(() -> admin.queryMessage(topic, "nothing", 32, 0, Long.MAX_VALUE))
                .isInstanceOf(MQClientException.class);
    }
}
