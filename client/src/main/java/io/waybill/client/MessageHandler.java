/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/** Takes messages, one at a time per call. */
@FunctionalInterface
public interface MessageHandler {
    /** Handles one message; a null result or an exception counts as {@link ConsumeResult#RETRY_LATER}. May block. */
    ConsumeResult handle(ReceivedMessage message) throws Exception;
}
