/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.remoting.Connection;

/**
 * A half message that is ready to be stored.
 *
 * @param sender the client that sent it; empty if not known
 * @param firstCheckMillis when its producer is asked about it for the first time
 * @param unnamedSender the connection it came on while its client is not known; else null
 */
public record HalfMessage(
        MessageDraft message, String producerGroup, String sender, long firstCheckMillis, Connection unnamedSender) {}
