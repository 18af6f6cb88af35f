/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.remoting.Connection;

/** Finds somebody to ask about a transaction. */
@FunctionalInterface
public interface Producers {
    /** An open connection of the producer group, another one each time as far as there are several; null when nobody is there. */
    Connection next(String producerGroup);
}
