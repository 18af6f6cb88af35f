/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example.demo;

import java.nio.file.Path;
import java.util.List;

/**
 * How the demo runs.
 *
 * @param serverCommand the command that starts a server, up to and with the word {@code server}
 * @param data directory of the server's data, which must not exist yet; null = a temporary one that is removed at the end
 * @param orders how many orders are placed, at least 20
 * @param slow true to make some local transactions last longer than the broker waits before it asks
 * @param terminal true to draw progress bars, false for plain lines
 */
public record DemoSettings(List<String> serverCommand, Path data, int orders, boolean slow, boolean terminal) {}
