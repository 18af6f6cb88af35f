/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

/** Something that can write itself as header fields. */
public interface HeaderWriter {
    void write(FieldSink sink);
}
