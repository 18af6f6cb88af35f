/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Commands about consumer groups: their backlog, why a message is not consumed, dead letters and quarantined keys. Read
 * {@code GroupCommand} first. Imports {@code terminal} and the client; the sentences of a diagnosis
 * are written in {@code DoctorTexts}, from the cause and the evidence that the broker tells.
 */
package io.waybill.cli.group;
