/* SPDX-License-Identifier: Apache-2.0 */
/** JSON bodies of requests and replies as records. Each reads itself leniently and writes the members the reference's clients expect. */
package io.waybill.protocol.body;
