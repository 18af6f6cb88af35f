/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;

/**
 * A stock consumer in order whose client classes are loaded once more, so that two of them with one instance name are to the broker what two processes with
 * one client id are: within a class loader the client shares what belongs to an id.
 */
public final class OrderedTwin {
    private OrderedTwin() {}

    /** Starts one in classes of its own; what is returned shuts it down. The handler gets queue and body. */
    static Runnable startApart(
            String namesrv, String group, String topic, String instance, BiConsumer<Integer, String> handler)
            throws Exception {
        URLClassLoader apart = new URLClassLoader(classPath(), ClassLoader.getPlatformClassLoader());
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        thread.setContextClassLoader(apart); // services are looked for there, also by the threads it starts
        try {
            Object started = apart.loadClass(OrderedTwin.class.getName())
                    .getMethod("start", String.class, String.class, String.class, String.class, BiConsumer.class)
                    .invoke(null, namesrv, group, topic, instance, handler);
            return (Runnable) started;
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    private static URL[] classPath() throws MalformedURLException {
        String path = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        List<URL> urls = new ArrayList<>();
        for (String entry : path.split(File.pathSeparator)) {
            urls.add(Path.of(entry).toUri().toURL());
        }
        return urls.toArray(URL[]::new);
    }

    public static Runnable start(
            String namesrv, String group, String topic, String instance, BiConsumer<Integer, String> handler)
            throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName(instance);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            messages.forEach(m -> handler.accept(m.getQueueId(), new String(m.getBody(), StandardCharsets.UTF_8)));
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        return consumer::shutdown;
    }
}
