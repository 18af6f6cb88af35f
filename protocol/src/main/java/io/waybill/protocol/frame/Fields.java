/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import java.util.Map;

/**
 * The header fields of a command, read from the header's own bytes; no map is built. A look-up walks over the bytes, so to read more than two
 * or three fields use {@link #forEach} once. Of equal keys the last one holds, as in the reference. A field whose value is null does not exist.
 * Immutable; any thread.
 */
public interface Fields {
    /** The value, or null. */
    String get(String key);

    /** Visits the fields in wire order; duplicates are all visited. */
    void forEach(Visitor visitor);

    /** How many fields there are, duplicates counted. */
    int size();

    /** All fields in wire order, in a new map. For tests and cold paths. */
    Map<String, String> toMap();

    /** @throws BadField when the value is missing */
    String require(String key);

    /** @throws BadField when the value is there but no int; an empty value counts as missing */
    int getInt(String key, int otherwise);

    /** @throws BadField when the value is there but no long; an empty value counts as missing */
    long getLong(String key, long otherwise);

    /** @throws BadField when the value is there but neither true nor false; an empty value counts as missing */
    boolean getBoolean(String key, boolean otherwise);

    /** @throws BadField when the value is missing or no int */
    int requireInt(String key);

    /** @throws BadField when the value is missing or no long */
    long requireLong(String key);

    /** Sees each field; key and value are reused for the next one. */
    interface Visitor {
        void field(Slice key, Slice value);
    }
}
