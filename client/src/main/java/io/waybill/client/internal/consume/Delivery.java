/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.internal.message.InboundMessage;
import java.util.List;

/** How what was fetched gets to the handler: in parallel, or one message of a queue after the other. */
interface Delivery {
    /** These have come, in their order; the queue has them already. On an I/O thread; must not block. */
    void deliver(ProcessQueue queue, List<InboundMessage> messages);
}
