/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The views: ConsumeQueues, keys, due times, transactions, progress and catalog as folds over the log. Everything here
 * can be deleted and rebuilt; what the backend holds is always exactly the views as of one log position.
 */
package io.waybill.store.view;
