/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What an operator may set: one typed table, and the immutable values a broker was started with.
 */
package io.waybill.broker.settings;
