/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Carries frames between processes and pairs replies with requests, in both directions of one connection. Nothing of the network
 * library shows outside this package, and nothing else imports it.
 *
 * <p>Read {@link io.waybill.remoting.Connection} first, which is what others see, then {@code SocketConnection}: one end of a socket, where
 * requests and responses find their way. What it is made of can be read by itself: {@code FrameDecoder} and {@code ConnectionInput} read,
 * {@code SocketOutput} writes, {@code PushedFrames} brings frames from other threads, {@code OpenCalls} waits for responses. {@code
 * MemoryBudgets}, {@code ConnectionCharges} and {@code PeerProgress} are about what peers may make a process hold and who gives way when it
 * is too much (docs/adr/0023).
 *
 * <p>Every connection belongs to one event loop; what another thread may call says so. Imports {@code protocol} and {@code platform}.
 */
package io.waybill.remoting;
