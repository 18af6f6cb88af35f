/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The store as the broker sees it: changes go into the log, reads come from the views and from slices of the log.
 *
 * <p>Start reading with {@link io.waybill.store.Store}, which opens, closes and binds log and views; a feature takes only the doors
 * it uses ({@link io.waybill.store.QueueStore}, {@link io.waybill.store.MessageStore} and the others). Imports {@code store.record},
 * {@code store.log} and {@code store.view}.
 */
package io.waybill.store;
