/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.broker.settings.DelayLevels;
import io.waybill.broker.settings.TimerSettings;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.store.StoreClock;
import io.waybill.store.TimerStore;
import io.waybill.store.log.Completion;
import io.waybill.store.record.UniqueKey;
import java.util.Map;

/**
 * Sends that become visible later. The message is stored once, invisible, with the properties it will be delivered with.
 *
 * <p>What decides, in this order: a delay level above 0; TIMER_DELAY_SEC; TIMER_DELAY_MS; TIMER_DELIVER_MS; __STARTDELIVERTIME, which clients
 * of a cloud write for the same. A due time that has passed is no delay. A message that carries TIMER_OUT_MS was timed before and is not timed again.
 *
 * <p>Thread-safe, without state of its own.
 */
public final class DelayedMessageWriter {
    private final TimerStore store;
    private final StoreClock clock;
    private final TimerCancellation cancellation;
    private final TimerSettings settings;
    private final String brokerName;
    private final RecallSigner signer;
    private final TargetQueueSelector placement;

    public DelayedMessageWriter(
            TimerStore store,
            StoreClock clock,
            TimerSettings settings,
            String brokerName,
            RecallSigner signer,
            TargetQueueSelector placement) {
        this.store = store;
        this.clock = clock;
        this.cancellation = new TimerCancellation(store);
        this.settings = settings;
        this.brokerName = brokerName;
        this.signer = signer;
        this.placement = placement;
    }

    /** Cancels what waits. */
    public TimerCancellation cancellation() {
        return cancellation;
    }

    /** Whether clients may take back a delayed message. */
    public boolean isRecallEnabled() {
        return settings.recallEnabled();
    }

    /** In which queue a message of a topic becomes visible. */
    public TargetQueueSelector placement() {
        return placement;
    }

    public DelayLevels levels() {
        return settings.levels();
    }

    /** What the properties ask for, seen from {@code nowMillis}. Pure; never throws. */
    public Delay delayOf(Map<String, String> properties, long nowMillis) {
        String levelText = properties.get(MessageProperties.DELAY);
        if (levelText != null) {
            int level;
            try {
                level = Integer.parseInt(levelText.trim());
            } catch (NumberFormatException e) {
                return illegal(MessageProperties.DELAY, levelText, "is not a whole number");
            }
            if (level > 0) {
                int clamped = settings.levels().clamp(level);
                return Delay.dueAt(nowMillis + settings.levels().delayMillis(clamped), clamped);
            }
        }
        if (properties.containsKey(MessageProperties.TIMER_OUT_MS)) {
            return Delay.NONE;
        }
        if (properties.containsKey(MessageProperties.TIMER_DELAY_SEC)) {
            return timed(properties, MessageProperties.TIMER_DELAY_SEC, 1000, nowMillis, nowMillis);
        }
        if (properties.containsKey(MessageProperties.TIMER_DELAY_MS)) {
            return timed(properties, MessageProperties.TIMER_DELAY_MS, 1, nowMillis, nowMillis);
        }
        if (properties.containsKey(MessageProperties.TIMER_DELIVER_MS)) {
            return timed(properties, MessageProperties.TIMER_DELIVER_MS, 1, 0, nowMillis);
        }
        if (properties.containsKey(MessageProperties.START_DELIVER_TIME)) {
            return timed(properties, MessageProperties.START_DELIVER_TIME, 1, 0, nowMillis);
        }
        return Delay.NONE;
    }

    private Delay timed(Map<String, String> properties, String name, long unitMillis, long baseMillis, long nowMillis) {
        String text = properties.get(name);
        long dueMillis;
        try {
            dueMillis = Math.addExact(baseMillis, Math.multiplyExact(Long.parseLong(text.trim()), unitMillis));
        } catch (NumberFormatException e) {
            return illegal(name, text, "is not a whole number");
        } catch (ArithmeticException e) {
            return illegal(name, text, "is beyond any time");
        }
        if (dueMillis <= nowMillis) {
            return Delay.NONE;
        }
        if (dueMillis - nowMillis > settings.maxDelayMillis()) {
            return illegal(
                    name,
                    text,
                    "is " + (dueMillis - nowMillis) + " ms from now; timerMaxDelayMillis is "
                            + settings.maxDelayMillis());
        }
        return Delay.dueAt(dueMillis, 0);
    }

    private static Delay illegal(String name, String text, String why) {
        return Delay.refused(ResponseCode.MESSAGE_ILLEGAL, "property " + name + "=" + text + " " + why);
    }

    /**
     * The message as it waits. The draft has all but its properties; {@code properties} is changed to what will be delivered.
     *
     * @throws BadValue when the properties leave no room for what the broker adds
     */
    public MessageDraft prepare(
            Delay delay, MessageDraft.Builder draft, String topic, int queueId, Map<String, String> properties) {
        markDelayed(delay, topic, queueId, clock.nowMillis(), properties);
        boolean isCopy = Names.isRetry(topic); // made by its consumer
        byte[] encoded = isCopy ? CopyRoom.encodeOfClient(properties) : CopyRoom.encodeFirst(properties);
        return draft.properties(encoded).build();
    }

    /**
     * Stores it until it is due.
     *
     * @param unique null, or the key of which it must be the only message
     */
    public void append(UniqueKey unique, MessageDraft message, long dueMillis, Completion done) {
        store.appendTimer(unique, message, dueMillis, done);
    }

    /** The handle that recalls a message, or null when there is none. */
    public String recallHandle(String topic, long dueMillis, String uniqueKey) {
        boolean recallable = uniqueKey != null && !Names.isRetry(topic);
        return recallable ? new RecallHandle(topic, brokerName, dueMillis, uniqueKey).encode(signer) : null;
    }

    /**
     * Looks at the condition of a message that is about to be stored, and takes out what only the broker may set.
     *
     * @throws BadValue when it is not well formed
     */
    public static void checkUnless(Map<String, String> properties) {
        properties.remove(MessageProperties.UNLESS_SINCE);
        String unless = properties.get(MessageProperties.UNLESS);
        if (unless != null) {
            CancelCondition.parse(unless);
        }
    }

    /** Takes the condition out of a message that becomes visible at once: nothing can have come in between. */
    public static void withoutUnless(Map<String, String> properties) {
        CancelCondition.takeOut(properties);
    }

    /** Lets the condition of a message that was a half count from when the half was stored. */
    public static void unlessSince(Map<String, String> properties, long storeMillis) {
        if (properties.containsKey(MessageProperties.UNLESS)) {
            properties.put(MessageProperties.UNLESS_SINCE, Long.toString(storeMillis));
        }
    }

    /** Gives the properties the form in which a delayed message is delivered: where it really goes, and what decided. */
    public static void markDelayed(
            Delay delay, String topic, int queueId, long nowMillis, Map<String, String> properties) {
        properties.put(MessageProperties.REAL_TOPIC, topic);
        properties.put(MessageProperties.REAL_QID, Integer.toString(queueId));
        if (delay.level() > 0) {
            properties.put(MessageProperties.DELAY, Integer.toString(delay.level()));
            properties.remove(MessageProperties.TIMER_DELAY_SEC);
            properties.remove(MessageProperties.TIMER_DELAY_MS);
            properties.remove(MessageProperties.TIMER_DELIVER_MS);
        } else {
            properties.put(MessageProperties.TIMER_OUT_MS, Long.toString(delay.dueMillis()));
            properties.put(MessageProperties.TIMER_ENQUEUE_MS, Long.toString(nowMillis));
        }
    }
}
