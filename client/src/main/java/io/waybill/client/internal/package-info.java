/* SPDX-License-Identifier: Apache-2.0 */
/** How the client works inside. Nothing here is a promise to users. */
package io.waybill.client.internal;
