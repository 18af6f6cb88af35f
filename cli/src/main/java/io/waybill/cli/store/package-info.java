/* SPDX-License-Identifier: Apache-2.0 */
/** {@code waybill store}: reads the files of a closed store. */
package io.waybill.cli.store;
