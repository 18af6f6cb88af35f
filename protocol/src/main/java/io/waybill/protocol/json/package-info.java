/* SPDX-License-Identifier: Apache-2.0 */
/**
 * JSON bodies: a bounded parser and a streaming writer for the dialect of fastjson, whose maps may have objects and bare numbers
 * as keys (docs/adr/0008). Read {@link io.waybill.protocol.json.Json} first. Imports the byte
 * sink, the limits and the refusal of {@code protocol.frame}.
 */
package io.waybill.protocol.json;
