/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

/**
 * @param region written on every message
 * @param trace whether clients are told that they may send message traces
 * @param maxBytes largest message or batch body
 */
public record MessageSettings(String region, boolean trace, int maxBytes) {}
