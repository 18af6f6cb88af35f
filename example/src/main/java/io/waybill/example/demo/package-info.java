/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The demo: runs the examples against a server of its own and checks every claim it prints (ADR 0006).
 *
 * <p>Start with {@link io.waybill.example.demo.Demo}. May import the examples and what they import; the server is a process of its own, started by a
 * command that the caller gives ({@code DemoServer}), since the programs do not depend on it.
 */
package io.waybill.example.demo;
