/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** What others hang on a connection: values by name, and actions of which each runs once, at its end or at once when it has ended. Thread-safe. */
final class Attachments {
    private final Map<String, Object> attributes = new ConcurrentHashMap<>(4);
    private List<Runnable> closeActions = new ArrayList<>(2); // null = the connection has ended

    Object get(String key) {
        return attributes.get(key);
    }

    /** @param value null = none any more */
    void set(String key, Object value) {
        if (value == null) {
            attributes.remove(key);
        } else {
            attributes.put(key, value);
        }
    }

    void onClose(Runnable action) {
        synchronized (attributes) {
            if (closeActions != null) {
                closeActions.add(action);
                return;
            }
        }
        action.run();
    }

    /** The connection has ended; the caller runs what it gets, in this order. */
    List<Runnable> end() {
        synchronized (attributes) {
            List<Runnable> actions = closeActions;
            closeActions = null;
            return actions;
        }
    }
}
