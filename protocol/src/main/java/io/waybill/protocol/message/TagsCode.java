/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import java.nio.charset.StandardCharsets;

/** The number by which a consume queue filters: the Java string hash of the tag, sign-extended; 0 when there is no tag. */
public final class TagsCode {
    private TagsCode() {}

    /** The code of a tag; null and the empty tag have code 0. */
    public static long of(String tags) {
        return tags == null ? 0 : tags.hashCode();
    }

    /** The code of a tag given as UTF-8; plain ASCII is hashed in place. */
    static long of(byte[] utf8, int from, int length) {
        int hash = 0;
        for (int i = from; i < from + length; i++) {
            if (utf8[i] < 0) {
                return new String(utf8, from, length, StandardCharsets.UTF_8).hashCode();
            }
            hash = 31 * hash + utf8[i];
        }
        return hash;
    }
}
