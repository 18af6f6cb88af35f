/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

/** How the work on one due entry ended. */
@FunctionalInterface
public interface TimerCompletion {
    /** @param settled true when the index has changed; false when the entry stands as it was and is to be tried again later */
    void done(boolean settled);
}
