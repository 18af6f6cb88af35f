/* SPDX-License-Identifier: Apache-2.0 */
/** Finding stored messages by business key, by unique key or by message id. */
package io.waybill.broker.query;
