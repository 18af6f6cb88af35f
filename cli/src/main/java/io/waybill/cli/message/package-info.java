/* SPDX-License-Identifier: Apache-2.0 */
/** The commands that move messages: send, consume, replay. */
package io.waybill.cli.message;
