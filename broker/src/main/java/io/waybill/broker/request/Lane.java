/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

/**
 * Where a request is worked on. The lanes are apart so that no kind of request waits behind another one that peers may make expensive: what applications
 * do all the time never waits for an operator's question, and a long scan never for a pull of old messages.
 */
public enum Lane {
    /** The connection's event loop: must not block, and touches no disk. The fields and the body of the request are valid until the handler returns. */
    INLINE(null),
    /** Waits for the disk on behalf of applications: cold pulls and pops, searches for offsets. */
    BLOCKING("broker-cold-read"),
    /** Evaluates expressions that peers wrote. */
    FILTER("broker-filter"),
    /** Changes one message on behalf of an application: takes it back, ends or recalls it. */
    RETURN("broker-return"),
    /** Answers and changes on behalf of operators. */
    OPERATOR("broker-operator"),
    /** Reads much: backlog, doctor, trace. */
    SCAN("broker-insight");

    private final String threadName;

    Lane(String threadName) {
        this.threadName = threadName;
    }

    String threadName() {
        return threadName;
    }
}
