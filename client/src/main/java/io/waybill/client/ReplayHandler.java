/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/** Takes the messages of a replay, one after the other, on the thread that runs it. */
@FunctionalInterface
public interface ReplayHandler {
    /** Handles one message. An exception stops the replay behind the last message handled before. */
    void handle(ReceivedMessage message) throws Exception;
}
