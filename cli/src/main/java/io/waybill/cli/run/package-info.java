/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The commands that run something: server, name server, broker, demo. Read {@code Serving} first, which keeps a process until it
 * is told to stop. Imports {@code terminal}, the server and the demo of {@code example}.
 */
package io.waybill.cli.run;
