/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What pulls and pops share while they wait: how many messages a group may get, by {@link RateLimits}.
 */
package io.waybill.broker.longpoll;
