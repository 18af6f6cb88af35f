/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

import java.util.List;

/**
 * How a broker makes itself known to the name servers.
 *
 * @param brokerId place in the broker group
 * @param nameServers as {@code host:port}; may be empty
 * @param intervalMillis time between two registrations
 * @param timeoutMillis longest wait for a name server's answer
 */
public record RegistrationSettings(
        String clusterName, int brokerId, List<String> nameServers, long intervalMillis, long timeoutMillis) {}
