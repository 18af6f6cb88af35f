/* SPDX-License-Identifier: Apache-2.0 */
package sample;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.spring.annotation.ConsumeMode;
import org.apache.rocketmq.spring.annotation.MessageModel;
import org.apache.rocketmq.spring.annotation.RocketMQMessageListener;
import org.apache.rocketmq.spring.annotation.RocketMQTransactionListener;
import org.apache.rocketmq.spring.annotation.SelectorType;
import org.apache.rocketmq.spring.core.RocketMQListener;
import org.apache.rocketmq.spring.core.RocketMQLocalTransactionListener;
import org.apache.rocketmq.spring.core.RocketMQLocalTransactionState;
import org.apache.rocketmq.spring.core.RocketMQReplyListener;
import org.apache.rocketmq.spring.core.RocketMQTemplate;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.messaging.Message;
import org.springframework.messaging.support.MessageBuilder;
import org.springframework.stereotype.Service;

/** What Spring applications do with the stock starter, each thing once; prints a row for each and ends with 1 if one did not work. */
@SpringBootApplication
public class Orders {
    /** Consumer group -> what it got. */
    static final Map<String, List<String>> GOT = new ConcurrentHashMap<>();

    static final Map<String, AtomicInteger> CHECKS = new ConcurrentHashMap<>();
    private static boolean failed;

    static List<String> got(String group) {
        return GOT.computeIfAbsent(group, g -> new CopyOnWriteArrayList<>());
    }

    @Service
    @RocketMQMessageListener(topic = "spring-orders", consumerGroup = "spring-plain")
    static class Plain implements RocketMQListener<String> {
        @Override
        public void onMessage(String body) {
            got("spring-plain").add(body);
        }
    }

    @Service
    @RocketMQMessageListener(topic = "spring-orders", consumerGroup = "spring-paid", selectorExpression = "PAID")
    static class Paid implements RocketMQListener<String> {
        @Override
        public void onMessage(String body) {
            got("spring-paid").add(body);
        }
    }

    @Service
    @RocketMQMessageListener(
            topic = "spring-orders",
            consumerGroup = "spring-sql",
            selectorType = SelectorType.SQL92,
            selectorExpression = "amount > 100")
    static class Large implements RocketMQListener<String> {
        @Override
        public void onMessage(String body) {
            got("spring-sql").add(body);
        }
    }

    @Service
    @RocketMQMessageListener(topic = "spring-steps", consumerGroup = "spring-ordered", consumeMode = ConsumeMode.ORDERLY)
    static class InOrder implements RocketMQListener<String> {
        @Override
        public void onMessage(String body) {
            got("spring-ordered").add(body);
        }
    }

    @Service
    @RocketMQMessageListener(
            topic = "spring-orders",
            consumerGroup = "spring-all",
            messageModel = MessageModel.BROADCASTING)
    static class Everybody implements RocketMQListener<String> {
        @Override
        public void onMessage(String body) {
            got("spring-all").add(body);
        }
    }

    /** Fails at first; the message comes again. */
    @Service
    @RocketMQMessageListener(topic = "spring-failing", consumerGroup = "spring-retried", delayLevelWhenNextConsume = 1)
    static class Failing implements RocketMQListener<String> {
        @Override
        public void onMessage(String body) {
            got("spring-retried").add(body);
            if (got("spring-retried").size() == 1) {
                throw new IllegalStateException("the first time it fails, as it should");
            }
        }
    }

    @Service
    @RocketMQMessageListener(topic = "spring-transactions", consumerGroup = "spring-decided")
    static class Decided implements RocketMQListener<String> {
        @Override
        public void onMessage(String body) {
            got("spring-decided").add(body);
        }
    }

    @Service
    @RocketMQMessageListener(topic = "spring-questions", consumerGroup = "spring-answers")
    static class Answers implements RocketMQReplyListener<String, String> {
        @Override
        public String onMessage(String question) {
            return "answer to " + question;
        }
    }

    /** "undecided" is answered by the check; the others at once. */
    @RocketMQTransactionListener
    static class Local implements RocketMQLocalTransactionListener {
        @Override
        public RocketMQLocalTransactionState executeLocalTransaction(Message message, Object argument) {
            return RocketMQLocalTransactionState.valueOf(argument.toString());
        }

        @Override
        public RocketMQLocalTransactionState checkLocalTransaction(Message message) {
            CHECKS.computeIfAbsent("checked", c -> new AtomicInteger()).incrementAndGet();
            return RocketMQLocalTransactionState.COMMIT;
        }
    }

    private static void row(String what, boolean works, Object seen) {
        System.out.println((works ? "ok    " : "FAIL  ") + what + (works ? "" : ": " + seen));
        failed |= !works;
    }

    /** As long as something comes, or a minute without. */
    private static boolean comes(String group, BooleanSupplier all) throws InterruptedException {
        int last = -1;
        for (int quiet = 0; quiet < 600; quiet++) {
            if (all.getAsBoolean()) {
                return true;
            }
            if (got(group).size() != last) {
                last = got(group).size();
                quiet = 0;
            }
            TimeUnit.MILLISECONDS.sleep(100);
        }
        return false;
    }

    private static void arrives(String what, String group, int count) throws InterruptedException {
        row(what, comes(group, () -> got(group).size() >= count), group + " got " + got(group));
    }

    public static void main(String[] arguments) throws Exception {
        ConfigurableApplicationContext context = SpringApplication.run(Orders.class, arguments);
        RocketMQTemplate template = context.getBean(RocketMQTemplate.class);
        SendResult sent = template.syncSend("spring-orders:CREATED", "one kettle");
        row("syncSend", sent.getSendStatus() == SendStatus.SEND_OK, sent);
        Message<String> paid = MessageBuilder.withPayload("paid").setHeader("amount", "120").setHeader("KEYS", "order-1").build();
        row("syncSend with tag, key and property", template.syncSend("spring-orders:PAID", paid).getSendStatus() == SendStatus.SEND_OK, paid);
        CountDownLatch stored = new CountDownLatch(1);
        template.asyncSend("spring-orders", "by callback", new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                stored.countDown();
            }

            @Override
            public void onException(Throwable failure) {
                failure.printStackTrace();
            }
        });
        row("asyncSend", stored.await(60, TimeUnit.SECONDS), "no callback");
        template.sendOneWay("spring-orders", "one way");
        arrives("@RocketMQMessageListener", "spring-plain", 4);
        arrives("selectorExpression", "spring-paid", 1);
        arrives("SelectorType.SQL92", "spring-sql", 1);
        arrives("MessageModel.BROADCASTING", "spring-all", 1);
        for (int step = 0; step < 10; step++) {
            template.syncSendOrderly("spring-steps", "step " + step, "order-1");
        }
        arrives("syncSendOrderly arrives", "spring-ordered", 10);
        List<String> steps = List.copyOf(got("spring-ordered"));
        row("ConsumeMode.ORDERLY", steps.equals(steps.stream().sorted().toList()), steps);
        long before = System.currentTimeMillis();
        template.syncSendDelayTimeMills("spring-orders", "later", 1_500);
        row(
                "syncSendDelayTimeMills",
                comes("spring-plain", () -> got("spring-plain").contains("later"))
                        && System.currentTimeMillis() - before >= 1_500,
                got("spring-plain"));
        template.syncSend("spring-failing", "again");
        arrives("a failed message comes again", "spring-retried", 2);
        for (String state : List.of("COMMIT", "ROLLBACK", "UNKNOWN")) {
            template.sendMessageInTransaction("spring-transactions", MessageBuilder.withPayload(state).build(), state);
        }
        row(
                "@RocketMQTransactionListener: committed at once, and by check",
                comes("spring-decided", () -> got("spring-decided").containsAll(List.of("COMMIT", "UNKNOWN"))),
                got("spring-decided"));
        row("rolled back stays invisible", !got("spring-decided").contains("ROLLBACK"), got("spring-decided"));
        try {
            String answer = template.sendAndReceive("spring-questions", "a question", String.class, 30_000L);
            row("sendAndReceive", "answer to a question".equals(answer), answer);
        } catch (RuntimeException e) {
            row("sendAndReceive", false, e);
        }
        context.close();
        System.exit(failed ? 1 : 0);
    }
}
