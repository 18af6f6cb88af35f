/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

/** Takes header fields one by one and writes each to bytes at once. Every value is text on the wire. */
public interface FieldSink {
    /** A null value writes nothing. */
    void put(String key, String value);

    void put(String key, long value);

    void put(String key, boolean value);

    /** A value that is UTF-8 already, such as encoded message properties; null writes nothing. */
    void put(String key, byte[] utf8);
}
