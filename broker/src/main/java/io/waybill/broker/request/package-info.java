/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The frame in which every feature answers its requests: code, lane and header are declared in {@link io.waybill.broker.request.Routes}, a handler returns a
 * {@link io.waybill.broker.request.Reply}, and one place answers what fails (ADR 0030).
 *
 * <p>Start with {@link io.waybill.broker.request.Feature}. Core wing: imports no other package of the broker.
 */
package io.waybill.broker.request;
