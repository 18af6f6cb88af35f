/* SPDX-License-Identifier: Apache-2.0 */
/**
 * {@code waybill store}: reads the files of a closed store. Start reading at {@code StoreCommand}. Imports {@code terminal},
 * the store and {@code platform}; no client.
 */
package io.waybill.cli.store;
