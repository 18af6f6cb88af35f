/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Names one delayed message to its producer. On the wire: base64url, padded, of {@code v1 topic broker timestamp uniqueKey.signature}, where the
 * timestamp is the due time plus one millisecond and the signature is over all before the dot. Clients split at the blanks and take the broker; what
 * stands behind the last blank is the broker's own.
 */
record RecallHandle(String topic, String brokerName, long dueMillis, String uniqueKey) {
    private static final String VERSION = "v1";
    private static final int MAX_LENGTH = 2048;

    String encode(RecallSigner signer) {
        String text = VERSION + ' ' + topic + ' ' + brokerName + ' ' + (dueMillis + 1) + ' ' + uniqueKey;
        return Base64.getUrlEncoder().encodeToString((text + '.' + signer.sign(text)).getBytes(StandardCharsets.UTF_8));
    }

    /** @throws IllegalArgumentException with the sentence for the caller */
    static RecallHandle parse(String encoded, RecallSigner signer) {
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
        int dot = text.length() - RecallSigner.SIGNATURE_LENGTH - 1;
        boolean isSigned = dot > 0 && text.charAt(dot) == '.';
        String signed = isSigned ? text.substring(0, dot) : text;
        String[] parts = signed.split(" ", 5);
        if (parts.length != 5 || !parts[0].equals(VERSION) || parts[4].isEmpty()) {
            throw new IllegalArgumentException("recallHandle does not hold: v1 topic broker timestamp uniqueKey");
        }
        if (!isSigned || !signer.isOf(signed, text.substring(dot + 1))) {
            throw new IllegalArgumentException("recallHandle is not signed by broker " + parts[2]
                    + " as it is now: only the handle of the send's own answer recalls a message");
        }
        try {
            return new RecallHandle(parts[1], parts[2], Long.parseLong(parts[3]) - 1, parts[4]);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("timestamp in recallHandle is not a number: " + parts[3], e);
        }
    }
}
