/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

/** Which keys of ordered groups are in quarantine. */
@FunctionalInterface
public interface ParkedKeys {
    /**
     * @param sinceMillis when the key was parked
     * @param reason one sentence
     */
    record Parked(long sinceMillis, String reason) {}

    /** The quarantine of a key, or null. */
    Parked find(String group, String topic, String key);
}
