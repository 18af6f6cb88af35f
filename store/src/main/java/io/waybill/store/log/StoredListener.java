/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** Told how much became readable. Called by the applying thread; must be quick and must neither block nor throw. */
@FunctionalInterface
public interface StoredListener {
    void stored(String topic, long messages, long bytes);
}
