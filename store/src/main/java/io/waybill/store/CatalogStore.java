/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.StateWrites;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.view.Views;
import java.util.Map;

/** Topics, groups and settings by name. What always holds: a value is read only after the log keeps it. */
public final class CatalogStore {
    private final Views views;
    private final CommitLog log;

    CatalogStore(Views views, CommitLog log) {
        this.views = views;
        this.log = log;
    }

    /**
     * Sets a topic, group, setting or deleted topic; null deletes it. With a topic all messages of its queues are hidden; their
     * offsets go on. With the entry of a deleted topic those that are still kept are shown again.
     */
    public void putCatalog(CatalogKind kind, String name, byte[] valueOrNullToDelete, Completion done) {
        log.submit(StateWrites.putCatalog(kind, name, valueOrNullToDelete, done));
    }

    /** Null if none. */
    public byte[] catalogValue(CatalogKind kind, String name) {
        return views.catalog().get(kind, name);
    }

    public Map<String, byte[]> catalogValues(CatalogKind kind) {
        return views.catalog().all(kind);
    }
}
