/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import io.waybill.store.CatalogStore;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whose store this is. Queues are named by their broker, so consumers' progress, recall handles and the routes of clients belong to the name a store was
 * first served under; served under another one its queues would be new ones with old messages in them (ADR 0024).
 */
final class StoreOwner {
    private static final Logger LOG = LoggerFactory.getLogger(StoreOwner.class);
    private static final String SETTING = "brokerName";

    private StoreOwner() {}

    /**
     * Writes the name down at the first start.
     *
     * @throws NameTaken when the store belongs to another name
     */
    static void check(CatalogStore store, String brokerName) throws NameTaken {
        byte[] owner = store.catalogValue(CatalogKind.SETTING, SETTING);
        if (owner == null) {
            byte[] name = brokerName.getBytes(StandardCharsets.UTF_8);
            store.putCatalog(CatalogKind.SETTING, SETTING, name, outcome -> {
                if (!(outcome instanceof Stored)) {
                    LOG.warn("That this store belongs to broker {} is not written down: {}", brokerName, outcome);
                }
            });
            return;
        }
        String known = new String(owner, StandardCharsets.UTF_8);
        if (!known.equals(brokerName)) {
            throw new NameTaken(
                    "the data directory belongs to broker '" + known + "', not to '" + brokerName + "'",
                    "start it with brokerName=" + known + " (--set brokerName=" + known + "), or give broker '"
                            + brokerName + "' a directory of its own");
        }
    }
}
