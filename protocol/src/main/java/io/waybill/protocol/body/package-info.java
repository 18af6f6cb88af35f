/* SPDX-License-Identifier: Apache-2.0 */
/**
 * JSON bodies of requests and replies as records. Each reads itself leniently and writes the members that clients of RocketMQ
 * expect. Read {@link io.waybill.protocol.body.TopicConfig} for the pattern. Imports {@code protocol.json} and
 * the refusal of {@code protocol.frame}.
 */
package io.waybill.protocol.body;
