/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Time, threads and failures as one client has them: the shared threads, the timer, time-outs, what is pending, and how a failure becomes a
 * {@link io.waybill.client.WaybillException}.
 *
 * <p>Start with {@link io.waybill.client.internal.runtime.ClientRuntime}; how failures are told is in
 * {@link io.waybill.client.internal.runtime.ClientExceptions}. Imports the public types only.
 */
package io.waybill.client.internal.runtime;
