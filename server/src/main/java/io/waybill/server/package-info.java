/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Name server and broker in one process, and the embedded broker for tests. Composition only. Read
 * {@link io.waybill.server.WaybillServer} first. Imports what it composes: {@code namesrv}, {@code broker}, the settings of
 * {@code store}, and {@code platform}.
 */
package io.waybill.server;
