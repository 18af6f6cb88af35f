/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

/**
 * Where a broker listens, and where clients reach it.
 *
 * @param insecure whether an address that other machines reach may be listened on
 * @param advertisedHost the address clients are told; the one listened on when none is named
 * @param maxConnections further ones are closed at once
 */
public record ListenSettings(String host, int port, boolean insecure, String advertisedHost, int maxConnections) {}
