/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Carries frames between processes and pairs replies with requests, in both directions of one connection. Nothing of
 * the network library shows outside this package.
 */
package io.waybill.remoting;
