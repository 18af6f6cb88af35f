/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

/**
 * A background duty: does a little and says when it next has work. One thread at a time runs it; what one run wrote the
 * next run sees.
 */
public interface Duty {
    /** Returned by {@link #run()}: run again only when woken. */
    long WHEN_WOKEN = Long.MAX_VALUE;

    /** Names the thread, in logs and thread dumps. */
    String roleName();

    /**
     * Does what is due. A wake that arrives while this runs is never lost: the duty runs once more.
     *
     * <p>A duty that throws is logged and tried again a second later; it does not end. In simulation the exception
     * reaches the test.
     *
     * @return nanoseconds until it wants to run again: 0 = at once, {@link #WHEN_WOKEN} = only when woken
     */
    long run();

    /** Called once after the last run, by the thread that ran the duty (or that closes it before its first run). */
    default void close() {}
}
