/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

/** Which keys of ordered groups are in quarantine. */
@FunctionalInterface
public interface QuarantinedKeys {
    /**
     * @param sinceMillis when the key was quarantined
     * @param reason one sentence
     */
    record Since(long sinceMillis, String reason) {}

    /** The quarantine of a key, or null. */
    Since find(String group, String topic, String key);
}
