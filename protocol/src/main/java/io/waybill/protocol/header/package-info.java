/* SPDX-License-Identifier: Apache-2.0 */
/** One record for each request or reply header; each reads itself from fields and writes itself as fields, without reflection. */
package io.waybill.protocol.header;
