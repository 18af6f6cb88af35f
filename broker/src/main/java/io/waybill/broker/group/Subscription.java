/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.broker.filter.Filter;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.BadField;
import java.util.ArrayList;
import java.util.List;

/**
 * What a group or one of its members wants of a topic, with the compiled filter.
 *
 * @param data as the client said it
 * @param filter the same, ready to be asked
 * @param told which telling it was that said so: a larger number came later. Versions are times of the clients' clocks and say nothing of that.
 * @param outdated versions under which the same member wanted something else, the newest first
 */
public record Subscription(SubscriptionData data, Filter filter, long told, List<Long> outdated) {
    private static final int MOST_OUTDATED = 4;

    /** @throws BadField when the expression is too long, cannot be read or is of an unknown type */
    public static Subscription of(SubscriptionData data) {
        return new Subscription(data, Filter.of(data.expressionType(), data.subString()), 0, List.of());
    }

    /** What is told now, after another one or null: that one itself when nothing is new, and with its filter when only the version is. */
    static Subscription told(SubscriptionData data, Subscription known, long number) {
        Subscription fresh = of(data);
        if (known == null) {
            return new Subscription(data, fresh.filter(), number, List.of());
        }
        if (known.expression().equals(fresh.expression())) {
            boolean isSame = known.version() == data.subVersion();
            return isSame ? known : new Subscription(data, known.filter(), number, known.outdated());
        }
        List<Long> versions = new ArrayList<>(List.of(known.version()));
        versions.addAll(known.outdated());
        return new Subscription(
                data, fresh.filter(), number, versions.subList(0, Math.min(versions.size(), MOST_OUTDATED)));
    }

    /**
     * Whether somebody that names this version wants what the member wanted before. Stock clients filter once more what they get, by what they wanted when
     * they asked: so they must not be served by something newer.
     */
    public boolean isOutdated(long version) {
        return version > 0 && version != version() && outdated.contains(version);
    }

    /** The expression with its type: equal for subscriptions that want the same. */
    String expression() {
        String text = data.subString() == null || data.subString().isBlank()
                ? "*"
                : data.subString().trim();
        return Filter.isTags(data.expressionType()) ? text : data.expressionType() + ": " + text;
    }

    public long version() {
        return data.subVersion();
    }
}
