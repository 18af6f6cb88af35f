/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.util.Iterator;
import java.util.ServiceLoader;

/**
 * The provider that lies beside the public types (ADR 0034). Looked for by their own class loader: the context loader of a thread in a container may be
 * anybody's.
 */
final class InstalledProvider {
    static final ClientProvider INSTANCE = load();

    private InstalledProvider() {}

    private static ClientProvider load() {
        Iterator<ClientProvider> found = ServiceLoader.load(ClientProvider.class, ClientProvider.class.getClassLoader())
                .iterator();
        if (!found.hasNext()) {
            throw new IllegalStateException("META-INF/services/" + ClientProvider.class.getName()
                    + " is not on the class path: whatever packs waybill-client into another jar must keep that file");
        }
        return found.next();
    }
}
