/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The views: queues, keys, timers, transactions, offsets, pops, catalog, deliveries and state records as folds over the log. Everything here can be
 * deleted and rebuilt; what the backend holds is always exactly the views as of one log position.
 *
 * <p>Start reading with {@link io.waybill.store.view.Views}, which hands out one object per view for readers and {@code forLog()} for the log;
 * {@code Fold} applies records to all of them ({@code ViewSet}). Imports {@code store.record}, {@code platform}, and RocksDB; not {@code store.log}.
 */
package io.waybill.store.view;
