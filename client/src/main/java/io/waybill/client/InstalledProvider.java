/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.util.Iterator;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;

/**
 * The provider that lies beside the public types (ADR 0034). Looked for by their own class loader: the context loader of a thread in a container may be
 * anybody's. Looked for again after a failure, which may have passed (no file descriptor was free): a static initializer would fail once, and for ever.
 */
final class InstalledProvider {
    private static volatile ClientProvider known;

    private InstalledProvider() {}

    /** @throws IllegalStateException if there is none; each time, and with the reason */
    static ClientProvider find() {
        ClientProvider provider = known;
        if (provider == null) {
            provider = load(); // two threads may both load it: it has no state
            known = provider;
        }
        return provider;
    }

    private static ClientProvider load() {
        String file = "META-INF/services/" + ClientProvider.class.getName();
        try {
            Iterator<ClientProvider> found = ServiceLoader.load(
                            ClientProvider.class, ClientProvider.class.getClassLoader())
                    .iterator();
            if (found.hasNext()) {
                return found.next();
            }
        } catch (ServiceConfigurationError e) {
            throw new IllegalStateException(file + " names no provider that can be loaded: " + e.getMessage(), e);
        }
        throw new IllegalStateException(
                file + " is not on the class path: whatever packs waybill-client into another jar must keep that file");
    }
}
