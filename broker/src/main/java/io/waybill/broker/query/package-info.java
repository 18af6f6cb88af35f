/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Finding stored messages by business key, by unique key or by message id.
 *
 * <p>Start with {@link io.waybill.broker.query.QueryFeature}. Operate wing: imports group and request.
 */
package io.waybill.broker.query;
