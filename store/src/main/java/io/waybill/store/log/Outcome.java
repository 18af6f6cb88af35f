/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** What became of a change: kept, refused with nothing written, or failed. */
public sealed interface Outcome permits Stored, BatchStored, Refused, Failed {}
