/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.json;

/** How JSON names a constant that stands for a member: {@code LAST_PULL} is {@code lastPull}. */
public final class MemberName {
    private MemberName() {}

    public static String of(Enum<?> constant) {
        String name = constant.name();
        StringBuilder camel = new StringBuilder(name.length());
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (c == '_') {
                camel.append(name.charAt(++i));
            } else {
                camel.append(Character.toLowerCase(c));
            }
        }
        return camel.toString();
    }
}
