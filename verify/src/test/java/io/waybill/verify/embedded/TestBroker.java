/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.embedded;

import io.waybill.server.EmbeddedBroker;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * The embedded broker of a test class, and the clients that its tests connect. In a static field it serves all tests of
 * the class; in a field of the instance each test gets its own.
 *
 * <pre>
 *   &#64;RegisterExtension
 *   static final TestBroker broker = TestBroker.with("lockExpiryMillis", "3000");
 *
 *   private final Own own = new Own(broker);
 * </pre>
 *
 * Clients that were made before the broker started are closed with it, those made later after the test that made them.
 */
public final class TestBroker implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback, AfterAllCallback {
    private final List<String> settings = new ArrayList<>();
    private final List<TestClients> ofBroker = new ArrayList<>();
    private final List<TestClients> ofTest = new ArrayList<>();
    private EmbeddedBroker broker; // null = not started
    private boolean ofClass;

    private TestBroker() {}

    /** One with an empty store in a temporary directory and no setting changed. */
    public static TestBroker withDefaults() {
        return new TestBroker();
    }

    /** One with a setting of the broker changed. */
    public static TestBroker with(String key, String value) {
        return new TestBroker().and(key, value);
    }

    /** With one more setting changed. */
    public TestBroker and(String key, String value) {
        settings.add(key);
        settings.add(value);
        return this;
    }

    /** {@code host:port} of its name server. */
    public String namesrvAddress() {
        return broker.namesrvAddress();
    }

    /** {@code host:port} of the broker. */
    public String brokerAddress() {
        return broker.brokerAddress();
    }

    void closes(TestClients clients) {
        (broker == null ? ofBroker : ofTest).add(clients);
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        ofClass = true;
        start();
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        if (!ofClass) {
            start();
        }
    }

    @Override
    public void afterEach(ExtensionContext context) {
        closeAll(ofTest);
        if (!ofClass) {
            stop();
        }
    }

    @Override
    public void afterAll(ExtensionContext context) {
        stop();
    }

    private void start() {
        EmbeddedBroker.Builder builder = EmbeddedBroker.in(null);
        for (int i = 0; i < settings.size(); i += 2) {
            builder.with(settings.get(i), settings.get(i + 1));
        }
        broker = builder.start();
    }

    private void stop() {
        closeAll(ofBroker);
        if (broker != null) {
            broker.close();
            broker = null;
        }
    }

    private static void closeAll(List<TestClients> clients) {
        clients.forEach(TestClients::close);
        clients.clear();
    }
}
