/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Frames of the remoting protocol: a command's head in JSON or binary form, read and written without a map, and its body. Read
 * {@link io.waybill.protocol.frame.Command} first, which draws the frame, then {@code HeaderScan}, which reads heads and draws them, and
 * {@link io.waybill.protocol.frame.FrameEncoder}, which writes them. What is read and written for every message allocates little, which
 * HotPathTest counts. Imports the code tables and {@code protocol.message}; it knows no socket.
 */
package io.waybill.protocol.frame;
