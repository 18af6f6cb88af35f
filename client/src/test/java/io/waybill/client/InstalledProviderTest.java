/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.URLConnection;
import java.net.URLStreamHandler;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How connect finds what implements the public types, in class loaders and jars that are not as usual. */
class InstalledProviderTest {
    private static final String FILE = "META-INF/services/" + ClientProvider.class.getName();

    @Test
    void aLostServicesFileIsSaidByEachConnect() throws Exception {
        try (Container container = new Container()) {
            container.services = List.of();
            for (int i = 0; i < 2; i++) {
                assertThatThrownBy(container::connect)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining(FILE)
                        .hasMessageContaining("must keep that file");
            }
        }
    }

    @Test
    void aProviderThatCannotBeLoadedIsNamedByEachConnect() throws Exception {
        try (Container container = new Container()) {
            container.services = List.of(text("io.waybill.client.internal.Lost"));
            for (int i = 0; i < 2; i++) {
                assertThatThrownBy(container::connect)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("io.waybill.client.internal.Lost");
            }
        }
    }

    @Test
    void aFailureThatHasPassedIsForgotten() throws Exception {
        try (Container container = new Container()) {
            container.services = List.of();
            assertThatThrownBy(container::connect).isInstanceOf(IllegalStateException.class);
            container.services = null;
            container.connect().close();
        }
    }

    @Test
    void theContextClassLoaderIsNotAsked() throws Exception {
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        try (Container container = new Container()) {
            thread.setContextClassLoader(null);
            AutoCloseable client = container.connect();
            assertThat(client.getClass().getClassLoader()).isSameAs(container);
            client.close();
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    private static URL text(String text) throws IOException {
        return new URL(null, "text:services", new URLStreamHandler() {
            @Override
            protected URLConnection openConnection(URL url) {
                return new URLConnection(url) {
                    @Override
                    public void connect() {}

                    @Override
                    public ByteArrayInputStream getInputStream() {
                        return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
                    }
                };
            }
        });
    }

    /** Has the classes of this library once more, as a container with applications has; what else they need is the parent's. */
    private static final class Container extends URLClassLoader {
        private List<URL> services; // null = the file there is

        Container() {
            super(
                    new URL[] {
                        ClientProvider.class
                                .getProtectionDomain()
                                .getCodeSource()
                                .getLocation()
                    },
                    ClientProvider.class.getClassLoader());
        }

        /** A client of the container's library. */
        AutoCloseable connect() throws Exception {
            try {
                return (AutoCloseable) loadClass(WaybillClient.class.getName())
                        .getMethod("connect", String.class)
                        .invoke(null, "127.0.0.1:9876");
            } catch (InvocationTargetException e) {
                if (e.getCause() instanceof Exception cause) {
                    throw cause;
                }
                throw (Error) e.getCause();
            }
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith("io.waybill.client.")) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                return loaded != null ? loaded : findClass(name);
            }
        }

        @Override
        public Enumeration<URL> getResources(String name) throws IOException {
            return services != null && name.equals(FILE) ? Collections.enumeration(services) : super.getResources(name);
        }
    }
}
