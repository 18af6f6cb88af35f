/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The way from a request code to the handler that means it.
 */
package io.waybill.broker.request;
