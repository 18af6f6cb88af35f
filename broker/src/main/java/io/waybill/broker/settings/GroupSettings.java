/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

/**
 * @param autoCreate whether groups that nobody created are accepted
 * @param most consumer groups there may be
 * @param retryMax tries of a new group before a message is a dead letter
 * @param clientExpiryMillis silence after which a client is dropped
 * @param lockExpiryMillis time an ordered queue stays locked unrenewed
 * @param offsetFlushMillis longest time a committed offset is only in memory
 */
public record GroupSettings(
        boolean autoCreate,
        int most,
        int retryMax,
        long clientExpiryMillis,
        long lockExpiryMillis,
        long offsetFlushMillis) {}
