/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Names one delayed message to its producer. On the wire: base64url, padded, of {@code v1 topic broker timestamp uniqueKey}, where the
 * timestamp is the due time plus one millisecond.
 */
record RecallHandle(String topic, String brokerName, long dueMillis, String uniqueKey) {
    private static final String VERSION = "v1";
    private static final int MAX_LENGTH = 2048;

    String encode() {
        String text = VERSION + ' ' + topic + ' ' + brokerName + ' ' + (dueMillis + 1) + ' ' + uniqueKey;
        return Base64.getUrlEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    /** @throws IllegalArgumentException with the sentence for the caller */
    static RecallHandle parse(String encoded) {
        if (encoded.length() > MAX_LENGTH) {
            throw new IllegalArgumentException(
                    "recallHandle is longer than " + MAX_LENGTH + " characters: " + encoded.length());
        }
        String text;
        try {
            text = new String(Base64.getUrlDecoder().decode(encoded), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("recallHandle is not base64url", e);
        }
        String[] parts = text.split(" ", 5);
        if (parts.length != 5 || !parts[0].equals(VERSION) || parts[4].isEmpty()) {
            throw new IllegalArgumentException("recallHandle does not hold: v1 topic broker timestamp uniqueKey");
        }
        try {
            return new RecallHandle(parts[1], parts[2], Long.parseLong(parts[3]) - 1, parts[4]);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("timestamp in recallHandle is not a number: " + parts[3], e);
        }
    }
}
