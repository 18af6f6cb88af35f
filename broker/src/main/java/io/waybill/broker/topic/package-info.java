/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Topics: their settings, their creation on first use or on request, and the built-in ones.
 */
package io.waybill.broker.topic;
