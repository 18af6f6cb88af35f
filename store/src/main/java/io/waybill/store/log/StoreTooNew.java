/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/**
 * A newer program wrote something here that this one does not know. Nothing is damaged and nothing was changed; this program
 * must not open the store, because what it does not know it would take for torn bytes.
 */
public final class StoreTooNew extends StoreException {
    public StoreTooNew(String what) {
        super("the store was written by a newer version of Waybill: " + what
                + "; nothing was changed, start the version that wrote it or a newer one");
    }
}
