/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.FirstMessage;
import java.util.List;

/**
 * What became of a batch whose messages have unique keys; each message is in exactly one of the lists, at its own index.
 *
 * @param stored null where the message was not stored because its key was taken
 * @param prior the message that holds the key; null where the message was stored
 */
public record BatchStored(List<Stored> stored, List<FirstMessage> prior) implements Outcome {}
