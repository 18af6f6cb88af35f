/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.remoting.protocol.route.BrokerData;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * Synchronous sends of the stock client from many threads.
 * Arguments: name server, topic, threads, seconds of warm-up, seconds measured, body bytes, pid of the broker.
 * The system property {@code attributes} ({@code +name=value}) creates the topic with an attribute. Prints one line: sends per second, broker CPU microseconds per message, p50 and p99 of a send in microseconds.
 */
public final class StockLoad {
    private static void create(String namesrv, String topic, String attributes) throws Exception {
        int middle = attributes.indexOf('=');
        TopicConfig config = new TopicConfig(topic, 4, 4, 6);
        config.setAttributes(Map.of(attributes.substring(0, middle), attributes.substring(middle + 1)));
        DefaultMQAdminExt admin = new DefaultMQAdminExt();
        admin.setNamesrvAddr(namesrv);
        admin.start();
        for (BrokerData broker :
                admin.examineBrokerClusterInfo().getBrokerAddrTable().values()) {
            admin.createAndUpdateTopicConfig(broker.selectBrokerAddr(), config);
        }
        admin.shutdown();
    }

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1];
        int threads = Integer.parseInt(arguments[2]);
        long warmUpNanos = Long.parseLong(arguments[3]) * 1_000_000_000L;
        long measuredNanos = Long.parseLong(arguments[4]) * 1_000_000_000L;
        byte[] body = new byte[Integer.parseInt(arguments[5])];
        Arrays.fill(body, (byte) 'x');
        long pid = Long.parseLong(arguments[6]);

        DefaultMQProducer producer = new DefaultMQProducer("load");
        producer.setNamesrvAddr(arguments[0]);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.setSendMsgTimeout(10_000);
        producer.start();
        String attributes = System.getProperty("attributes");
        if (attributes != null) {
            create(arguments[0], topic, attributes);
        }
        producer.send(new Message(topic, body));

        long start = System.nanoTime();
        long from = start + warmUpNanos;
        long until = from + measuredNanos;
        AtomicLong failures = new AtomicLong();
        long[][] latencies = new long[threads][];
        List<Thread> senders = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            int number = t;
            senders.add(new Thread(() -> {
                long[] mine = new long[4_000_000];
                int count = 0;
                long now = System.nanoTime();
                while (now < until && count < mine.length) {
                    try {
                        boolean kept = producer.send(new Message(topic, body)).getSendStatus() == SendStatus.SEND_OK;
                        long after = System.nanoTime();
                        if (!kept) {
                            failures.incrementAndGet();
                        } else if (now >= from && after <= until) {
                            mine[count++] = after - now;
                        }
                        now = after;
                    } catch (Exception failure) {
                        failures.incrementAndGet();
                        now = System.nanoTime();
                    }
                }
                latencies[number] = Arrays.copyOf(mine, count);
            }));
        }
        senders.forEach(Thread::start);
        long cpuBefore = 0;
        while (System.nanoTime() < from) {
            Thread.sleep(1);
        }
        cpuBefore = cpuTicks(pid);
        while (System.nanoTime() < until) {
            Thread.sleep(1);
        }
        long cpuMicros = (cpuTicks(pid) - cpuBefore) * 10_000;
        for (Thread sender : senders) {
            sender.join();
        }
        long[] all =
                Arrays.stream(latencies).flatMapToLong(Arrays::stream).sorted().toArray();
        System.out.printf(
                "sends/s=%d cpu_us/msg=%.1f p50_us=%d p99_us=%d failures=%d%n",
                all.length * 1_000_000_000L / measuredNanos,
                cpuMicros / (double) all.length,
                all[all.length / 2] / 1000,
                all[(int) (all.length * 0.99)] / 1000,
                failures.get());
        producer.shutdown();
        System.exit(0);
    }

    /** utime + stime of a process, in ticks of 10 ms. */
    private static long cpuTicks(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
    }
}
