/* SPDX-License-Identifier: Apache-2.0 */
/** The store as the broker sees it: changes go into the log, reads come from the views and from slices of the log. */
package io.waybill.store;
