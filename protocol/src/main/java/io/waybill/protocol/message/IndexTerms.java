/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What the views need to know of a message's properties, found in one pass.
 *
 * @param tagsCode {@link TagsCode} of TAGS, 0 without
 * @param uniqueKey UNIQ_KEY or null
 * @param keys the words of KEYS, at most {@link #MAX_KEYS}, never null; not to be changed
 */
public record IndexTerms(long tagsCode, String uniqueKey, String[] keys) {
    /**
     * Words of KEYS that are indexed. A word takes far more memory than its bytes, so one message may not bring thousands; who
     * takes messages in refuses more. Clients of RocketMQ put the ids and keys of a hundred messages and more on one message
     * of their trace: as many ids of 32 characters as the properties hold are fewer than this.
     */
    public static final int MAX_KEYS = 1_024;

    private static final String[] NO_KEYS = {};

    /** Reads encoded properties. */
    public static IndexTerms read(byte[] encoded) {
        return read(encoded, 0, encoded.length);
    }

    static IndexTerms read(byte[] bytes, int from, int length) {
        long tags = MessageProperties.find(bytes, from, length, MessageProperties.TAGS);
        long unique = MessageProperties.find(bytes, from, length, MessageProperties.UNIQ_KEY);
        long keys = MessageProperties.find(bytes, from, length, MessageProperties.KEYS);
        return new IndexTerms(
                tags < 0 ? 0 : TagsCode.of(bytes, MessageProperties.start(tags), MessageProperties.length(tags)),
                unique < 0 ? null : text(bytes, MessageProperties.start(unique), MessageProperties.length(unique)),
                keys < 0 ? NO_KEYS : words(bytes, MessageProperties.start(keys), MessageProperties.length(keys)));
    }

    /** The unique key, when there is one, followed by the keys. */
    public String[] all() {
        if (uniqueKey == null) {
            return keys;
        }
        String[] all = new String[keys.length + 1];
        all[0] = uniqueKey;
        System.arraycopy(keys, 0, all, 1, keys.length);
        return all;
    }

    private static String[] words(byte[] bytes, int from, int length) {
        int limit = from + length;
        List<String> words = new ArrayList<>(2);
        for (int at = from; at < limit && words.size() < MAX_KEYS; ) {
            int end = at;
            while (end < limit && bytes[end] != ' ') {
                end++;
            }
            if (end > at) {
                words.add(text(bytes, at, end - at));
            }
            at = end + 1;
        }
        return words.toArray(NO_KEYS);
    }

    /** How many words stand there, counted without making them. */
    public static int countWords(byte[] bytes, int from, int to) {
        int words = 0;
        for (int at = from; at < to; at++) {
            if (bytes[at] != ' ' && (at == from || bytes[at - 1] == ' ')) {
                words++;
            }
        }
        return words;
    }

    private static String text(byte[] bytes, int from, int length) {
        return new String(bytes, from, length, StandardCharsets.UTF_8);
    }
}
