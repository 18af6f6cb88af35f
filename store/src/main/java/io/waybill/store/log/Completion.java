/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** Told the outcome of one change, exactly once, by the thread that confirmed it. Must be quick and must not block. */
@FunctionalInterface
public interface Completion {

    /** For a change nobody waits for. */
    Completion NONE = outcome -> {};

    void done(Outcome outcome);
}
