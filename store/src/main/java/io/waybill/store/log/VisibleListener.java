/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** Told that messages became readable. Called by the applying thread; must be quick and must not block. */
@FunctionalInterface
public interface VisibleListener {
    void visible(String topic, int queueId, long newMaxOffset);
}
