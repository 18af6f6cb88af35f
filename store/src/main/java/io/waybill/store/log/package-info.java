/* SPDX-License-Identifier: Apache-2.0 */
/** The CommitLog: segments of frames, their single writer, the flusher, recovery, retention. Everything else is a view of it. */
package io.waybill.store.log;
