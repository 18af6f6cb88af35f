/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Groups: their settings, who is connected for them, and the notices members get when that changes.
 */
package io.waybill.broker.group;
