/* SPDX-License-Identifier: Apache-2.0 */
/** The library's own client against a real broker, and both kinds of clients side by side. */
package io.waybill.verify.own;
