/* SPDX-License-Identifier: Apache-2.0 */
/** Messages a consumer could not handle: given back with growing delays, and set aside in the dead-letter queue past the limit. */
package io.waybill.broker.retry;
