/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Subscription;
import io.waybill.broker.longpoll.ReadRules;
import io.waybill.broker.longpoll.ReadRules.ReadRefusal;
import io.waybill.broker.retry.RetriesExhausted;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.header.PopHeader;
import io.waybill.remoting.Connection;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;

/**
 * On which terms a pop, a peek or a notification is served, by the rules in force now: asked when it comes, and again
 * when it waited and something changed since. Without state of its own.
 */
final class PopChecks {
    private final ReadRules rules;

    PopChecks(ReadRules rules) {
        this.rules = rules;
    }

    /** To be kept from before the checks. */
    long number() {
        return rules.number();
    }

    /** @throws io.waybill.protocol.frame.BadField when the expression cannot be read */
    PopTerms first(PopParameters parameters, Connection connection) {
        return check(parameters, connection, rules.groupOrNew(parameters.group()), null);
    }

    /** When it waited. That its group was made for it is no reason to make it again when it was deleted. */
    PopTerms again(Pop pop) {
        SubscriptionGroupConfig group = rules.group(pop.group());
        return check(pop.parameters(), pop.request().connection(), group, pop.terms());
    }

    private PopTerms check(
            PopParameters parameters, Connection connection, SubscriptionGroupConfig config, PopTerms before) {
        ReadRefusal refusal = ReadRules.ofGroup(parameters.group(), config);
        if (refusal != null) {
            return PopTerms.refused(refusal);
        }
        TopicConfig topic = rules.topic(parameters.topic());
        refusal =
                rules.ofTopic(parameters.group(), parameters.topic(), topic, parameters.queueId(), PopHeader.ANY_QUEUE);
        if (refusal != null) {
            return PopTerms.refused(refusal);
        }
        return withFilter(parameters, connection, config, topic, before);
    }

    /** By what the request says, else by its client's heartbeat, else by the group's, else everything. */
    private PopTerms withFilter(
            PopParameters parameters,
            Connection connection,
            SubscriptionGroupConfig config,
            TopicConfig topic,
            PopTerms before) {
        ConsumerGroup group = rules.members(parameters.group());
        ClientChannelInfo member = group == null ? null : group.memberOn(connection);
        Subscription own = member == null ? null : group.subscriptionsOf(member).get(parameters.topic());
        Subscription known = own != null || group == null ? own : group.subscription(parameters.topic());
        int queues = topic.readQueueNums();
        int mostRetries = parameters.isLease() ? RetriesExhausted.mostRetries(config) : Integer.MAX_VALUE;
        String expression = parameters.expression();
        boolean isGiven = expression != null && !expression.isEmpty();
        if (known != null && (!isGiven || expression.equals(known.data().subString()))) {
            return new PopTerms(queues, known.data().subString(), known.filter(), mostRetries, null);
        }
        if (!isGiven) {
            return new PopTerms(queues, "*", Filter.ALL, mostRetries, null);
        }
        boolean isSame = before != null && expression.equals(before.expression());
        Filter filter = isSame ? before.filter() : Filter.of(parameters.expressionType(), expression);
        return new PopTerms(queues, expression, filter, mostRetries, null);
    }

    /**
     * Whether others of the group may be sent what this client's filter does not take: then it is not finished by
     * passing it over.
     */
    boolean isShared(Pop pop) {
        ConsumerGroup group = pop.terms().filter().isAll() ? null : rules.members(pop.group());
        Subscription subscription = group == null ? null : group.subscription(pop.topic());
        return subscription != null
                && (group.hasConflict(pop.topic())
                        || !Objects.equals(
                                subscription.data().subString(), pop.terms().expression()));
    }

    /** Whether a member of the group subscribes to the stored message that starts at {@code at}. */
    boolean isTakenByAnyMember(Pop pop, ByteBuffer buffer, int at) {
        ConsumerGroup group = rules.members(pop.group());
        for (ClientChannelInfo member : group == null ? List.<ClientChannelInfo>of() : group.members()) {
            Subscription own = group.subscriptionsOf(member).get(pop.topic());
            if (own != null && own.filter().matches(buffer, at)) {
                return true;
            }
        }
        return false;
    }
}
