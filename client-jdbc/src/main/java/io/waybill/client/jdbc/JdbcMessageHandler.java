/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.ConsumeResult;
import io.waybill.client.ReceivedMessage;
import java.sql.Connection;

/** Takes messages, each in a database transaction of its own. */
@FunctionalInterface
public interface JdbcMessageHandler {
    /**
     * Handles one message. What it writes on the connection is committed exactly if it returns {@link ConsumeResult#SUCCESS} or a reply; any other result, null
     * or an exception rolls it back. Leave ending the transaction to the caller.
     */
    ConsumeResult handle(Connection connection, ReceivedMessage message) throws Exception;
}
