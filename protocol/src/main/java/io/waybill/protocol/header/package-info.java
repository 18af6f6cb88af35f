/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One record for each request or reply header; each reads itself from fields and writes itself as fields, without reflection.
 * Read {@link io.waybill.protocol.header.SendMessageHeader} for those of the hot path, any other for the pattern. Imports
 * {@code protocol.frame}.
 */
package io.waybill.protocol.header;
