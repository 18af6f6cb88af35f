/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/**
 * Which messages of a topic a consumer wants. The broker filters, so nothing else crosses the network.
 *
 * @param type how the expression is written
 * @param expression tags separated by {@code ||}, {@code *}, or SQL92
 */
public record Filter(Type type, String expression) {
    /** Everything. */
    public static final Filter ALL = new Filter(Type.TAGS, "*");

    /** Kinds of expressions. */
    public enum Type {
        /** See {@link Filter#tags}. */
        TAGS,
        /** See {@link Filter#sql}. */
        SQL
    }

    /** Messages with one of the tags, e.g. {@code "CREATED || PAID"}; {@code "*"} = all. */
    public static Filter tags(String expression) {
        return new Filter(Type.TAGS, expression);
    }

    /**
     * Messages whose properties make the condition true, e.g. {@code "TAGS = 'PAID' AND amount > 100 AND region IN ('EU', 'UK')"}. {@code TAGS} is the
     * tag; a missing property is NULL; numbers are compared as numbers.
     */
    public static Filter sql(String condition) {
        return new Filter(Type.SQL, condition);
    }
}
