/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.query;

import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.QueryMessageHeader;
import io.waybill.protocol.header.QueryMessageReply;
import io.waybill.protocol.message.IndexTerms;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Request;
import io.waybill.store.MessageStore;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/**
 * QUERY_MESSAGE (12): visible messages of a topic with a key, newest first, at most as many as asked for. A message is returned only when
 * the text of its key is the one asked for, so never because two keys share a hash.
 */
final class QueryMessage implements RouteHandler<QueryMessageHeader> {
    /** Messages in one answer, whatever is asked for. */
    private static final int MOST_MESSAGES = 256;

    /** A unique key normally has one message, and a few more after retries. */
    private static final int UNIQUE_KEY_MESSAGES = 32;

    /** Body bytes of one answer; one message always fits. */
    private static final int MOST_BYTES = 4 << 20;

    private final MessageStore store;

    QueryMessage(MessageStore store) {
        this.store = store;
    }

    @Override
    public Reply handle(Request request, QueryMessageHeader header) {
        boolean unique = header.uniqueKeyQuery() || "U".equals(header.indexType());
        if (!unique && "T".equals(header.indexType())) {
            return Reply.refused(
                    ResponseCode.INVALID_PARAMETER, "indexType: must be K or U, tags are not indexed, but was T");
        }
        int most = unique ? UNIQUE_KEY_MESSAGES : Math.max(1, Math.min(header.maxNum(), MOST_MESSAGES));
        List<ByteBuffer> found = find(header, unique, most);
        if (found.isEmpty()) {
            return Reply.refused(
                    ResponseCode.QUERY_NOT_FOUND,
                    "no message of topic " + header.topic() + " with key " + header.key() + " in this time");
        }
        ByteBuffer newest = found.get(0);
        Command head = Command.response(ResponseCode.SUCCESS, null)
                .header(new QueryMessageReply(
                        StoredMessage.storeTimestamp(newest, 0), StoredMessage.position(newest, 0)))
                .build();
        return Reply.of(head, found, () -> {});
    }

    /** The store's index holds both kinds of keys; here only the asked kind counts. */
    private List<ByteBuffer> find(QueryMessageHeader header, boolean unique, int most) {
        String key = header.key();
        return store.findByKey(
                header.topic(), key, most, MOST_BYTES, header.beginTimestamp(), header.endTimestamp(), message -> {
                    IndexTerms terms = StoredMessage.indexTerms(message, 0);
                    return unique
                            ? key.equals(terms.uniqueKey())
                            : Arrays.asList(terms.keys()).contains(key);
                });
    }
}
