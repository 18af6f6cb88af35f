/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

/** The grammar of file names: what can be refused before the machine sees it. */
final class FileNames {
    private static final int MAX_LENGTH = 1024;

    private FileNames() {}

    static String check(String name) {
        if (name.isEmpty() || name.length() > MAX_LENGTH) {
            throw new IllegalArgumentException(
                    "file name must have 1 to " + MAX_LENGTH + " characters, has " + name.length());
        }
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (c < ' ' || c == 0x7f || c == '\\' || c == ':') {
                throw new IllegalArgumentException(
                        "file name must not contain control characters, '\\' or ':', has " + (int) c + " at " + i);
            }
        }
        int start = 0;
        while (start <= name.length()) {
            int end = name.indexOf('/', start);
            if (end < 0) {
                end = name.length();
            }
            String part = name.substring(start, end);
            if (part.isEmpty() || part.equals(".") || part.equals("..")) {
                throw new IllegalArgumentException("file name '" + name + "' has a part '" + part
                        + "'; names are relative, without '.', '..' or empty parts");
            }
            start = end + 1;
        }
        return name;
    }

    /** The directory a name lies in; "" for the root. */
    static String parent(String name) {
        int slash = name.lastIndexOf('/');
        return slash < 0 ? "" : name.substring(0, slash);
    }
}
