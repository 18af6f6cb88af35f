/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** Where the log ends after recovery: the next frame stands at end and has this index. */
record Recovered(long end, long nextIndex, long epoch, long storeTimeMillis) {}
