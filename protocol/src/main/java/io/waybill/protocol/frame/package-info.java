/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Frames of the remoting protocol: a command's head in JSON or binary form, read and written without a map, and its body. Read
 * {@link io.waybill.protocol.frame.Command} first, then {@code HeaderScan}, which reads heads. Imports the code tables only; it
 * knows no socket.
 */
package io.waybill.protocol.frame;
