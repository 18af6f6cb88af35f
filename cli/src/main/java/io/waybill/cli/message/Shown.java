/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.message;

import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Times;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.WaybillException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;

/** One received message for a person or a program. */
final class Shown {
    private Shown() {}

    static String line(ReceivedMessage message) {
        return Times.text(message.delivery().storedAt()) + "  "
                + message.delivery().queue().broker() + "/"
                + message.delivery().queue().id() + "  " + message.delivery().offset() + "  "
                + (message.tag() == null ? "-" : Output.shown(message.tag())) + "  "
                + (message.keys().isEmpty() ? "-" : Output.shown(String.join(",", message.keys()))) + "  "
                + Output.shown(bodyText(message));
    }

    static Map<String, Object> row(ReceivedMessage message) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("messageId", message.messageId());
        row.put("storedId", message.delivery().storedId());
        row.put("topic", message.topic());
        row.put("broker", message.delivery().queue().broker());
        row.put("queue", message.delivery().queue().id());
        row.put("offset", message.delivery().offset());
        row.put("tag", message.tag());
        row.put("keys", message.keys());
        row.put("born", message.bornAt());
        row.put("stored", message.delivery().storedAt());
        row.put("attempt", message.delivery().attempt());
        row.put("properties", message.properties());
        try {
            byte[] body = message.body();
            String text = utf8(body);
            row.put(
                    text == null ? "bodyBase64" : "body",
                    text == null ? Base64.getEncoder().encodeToString(body) : text);
        } catch (WaybillException e) {
            row.put("bodyError", e.getMessage());
        }
        return row;
    }

    private static String bodyText(ReceivedMessage message) {
        try {
            String text = utf8(message.body());
            return text == null ? message.body().length + " bytes, not UTF-8" : text;
        } catch (WaybillException e) {
            return "(" + e.getMessage() + ")";
        }
    }

    /** The text, or null if it is none. */
    private static String utf8(byte[] body) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(body))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }
}
