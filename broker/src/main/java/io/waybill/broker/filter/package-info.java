/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a consumer wants of a topic, compiled: lists of tags, and SQL92 over the properties of messages.
 */
package io.waybill.broker.filter;
