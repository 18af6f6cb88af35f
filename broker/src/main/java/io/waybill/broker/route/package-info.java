/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Telling the name servers what this broker serves.
 */
package io.waybill.broker.route;
