/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Long polling, for pulls and pops alike: requests that wait for a message, the threads where slow reads go on, what
 * decides which messages a reader gets, and how many (ADR 0032).
 *
 * <p>Start at {@link io.waybill.broker.longpoll.LongPolling}; {@link io.waybill.broker.longpoll.HeldRequest} says who
 * may work on a request when.
 *
 * <p>May import the packages of the core. Knows neither pulls nor pops.
 */
package io.waybill.broker.longpoll;
