/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** How many files and sockets this process may have open, and how many of them are for the store. */
public final class Descriptors {
    /** What log, views, classes and the JVM itself need at least, however small the limit is. */
    private static final int SMALLEST_RESERVE = 128;

    private Descriptors() {}

    /** The most sockets peers may open, so that the log can always open its next file; a quarter of all stays reserved. */
    public static int forPeers() {
        return forPeers(limit(limits()));
    }

    static int forPeers(long limit) {
        return (int) Math.min(Integer.MAX_VALUE, Math.max(16, limit - Math.max(SMALLEST_RESERVE, limit / 4)));
    }

    private static List<String> limits() {
        try {
            return Files.readAllLines(Path.of("/proc/self/limits"));
        } catch (IOException e) {
            return List.of();
        }
    }

    /** The soft limit of the line "Max open files"; Integer.MAX_VALUE where the system does not tell it this way. */
    static long limit(List<String> limits) {
        for (String line : limits) {
            String[] words = line.split(" +");
            if (line.startsWith("Max open files") && words.length > 3 && words[3].matches("\\d{1,18}")) {
                return Long.parseLong(words[3]);
            }
        }
        return Integer.MAX_VALUE;
    }
}
