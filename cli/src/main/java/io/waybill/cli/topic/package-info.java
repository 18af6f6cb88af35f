/* SPDX-License-Identifier: Apache-2.0 */
/**
 * {@code waybill topic}: create, list, describe, settings, delete. Start reading at {@code TopicCommand}. Imports
 * {@code terminal} and the client.
 */
package io.waybill.cli.topic;
