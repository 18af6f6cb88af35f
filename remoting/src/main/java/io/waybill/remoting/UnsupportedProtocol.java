/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayOutputStream;

/** What else people point at this port, told by its first four bytes, none of which can be the length of a frame. */
enum UnsupportedProtocol {
    HTTP("HTTP", http()),
    HTTP2("HTTP/2, perhaps gRPC", http2()),
    TLS("TLS", new byte[] {0x15, 3, 1, 0, 2, 2, 40}), // alert: fatal, handshake failure
    PROXY("the PROXY protocol", new byte[0]);

    private static final String SENTENCE =
            "this is a RocketMQ remoting port, without TLS, HTTP or gRPC; use a RocketMQ client or the command waybill";

    final String text;
    private final byte[] answer;

    UnsupportedProtocol(String text, byte[] answer) {
        this.text = text;
        this.answer = answer;
    }

    /** Null when the word begins none of them. */
    static UnsupportedProtocol of(int word) {
        if (word >>> 16 == 0x1603) {
            return TLS;
        }
        return switch (word) {
            case 0x50524920 -> HTTP2; // "PRI "
            case 0x50524F58, 0x0D0A0D0A -> PROXY; // "PROX", version 2
            case 0x47455420,
                    0x48454144,
                    0x504F5354,
                    0x50555420,
                    0x44454C45,
                    0x4F505449,
                    0x50415443,
                    0x434F4E4E,
                    0x54524143 -> HTTP; // "GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PATC", "CONN", "TRAC"
            default -> null;
        };
    }

    /** What its speaker understands; may be empty. */
    byte[] answer() {
        return answer.clone();
    }

    private static byte[] http() {
        String body = SENTENCE + "\n";
        return ("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: "
                        + body.length() + "\r\n\r\n" + body)
                .getBytes(US_ASCII);
    }

    /** An empty SETTINGS frame, then GOAWAY with HTTP_1_1_REQUIRED and the sentence. */
    private static byte[] http2() {
        byte[] text = SENTENCE.getBytes(US_ASCII);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {0, 0, 0, 4, 0, 0, 0, 0, 0});
        out.writeBytes(new byte[] {0, 0, (byte) (8 + text.length), 7, 0, 0, 0, 0, 0});
        out.writeBytes(new byte[] {0, 0, 0, 0, 0, 0, 0, 13});
        out.writeBytes(text);
        return out.toByteArray();
    }
}
