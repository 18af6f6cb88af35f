/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The commands that move messages: send, consume, replay, and those about single and delayed messages. Read {@code SendCommand}
 * first. Imports {@code terminal} and the client.
 */
package io.waybill.cli.message;
