/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

/** Why a send is not taken: response code and a sentence that names field, limit and what was seen. */
record Refusal(int code, String text) {}
