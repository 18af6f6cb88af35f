/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

/** The hold on a started duty. */
public interface DutyHandle extends AutoCloseable {

    /** Makes the duty run soon. Cheap, never blocks, safe from any thread and from inside the duty. */
    void wake();

    /**
     * Stops the duty and waits until its last run and its {@link Duty#close()} have ended. From inside the duty itself it
     * only asks for the end. Idempotent.
     */
    @Override
    void close();
}
