/* SPDX-License-Identifier: Apache-2.0 */
/** Frames of the remoting protocol: a command's head in JSON or binary form, read and written without a map, and its body. */
package io.waybill.protocol.frame;
