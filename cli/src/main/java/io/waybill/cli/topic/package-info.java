/* SPDX-License-Identifier: Apache-2.0 */
/** {@code waybill topic}: create, list, describe. */
package io.waybill.cli.topic;
