/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.connection.OffsetApi;
import io.waybill.client.internal.route.RouteCache;
import java.io.IOException;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the offsets a push consumer goes on with: at the broker, or for a broadcast consumer in {@link LocalOffsets}. Never more than what is done, and a
 * failure is only noted: the next round tells it again.
 */
final class OffsetCommitter {
    private static final Logger LOG = LoggerFactory.getLogger(OffsetCommitter.class);

    private final String group;
    private final RouteCache routes;
    private final OffsetApi offsets;
    private final LocalOffsets local; // null = the broker keeps them

    OffsetCommitter(String group, RouteCache routes, OffsetApi offsets, LocalOffsets local) {
        this.group = group;
        this.routes = routes;
        this.offsets = offsets;
        this.local = local;
    }

    /** True if this process keeps them and the broker knows nothing. */
    boolean isLocal() {
        return local != null;
    }

    /** What is kept for a queue; empty if nothing is. */
    CompletableFuture<OptionalLong> committed(String address, MessageQueue queue) {
        return local != null
                ? CompletableFuture.completedFuture(local.find(queue))
                : offsets.committed(address, group, queue);
    }

    /** Keeps the offset of a queue if it has changed; never fails. */
    CompletableFuture<Void> commit(ProcessQueue queue) {
        long offset = queue.uncommitted();
        if (local != null) {
            if (offset >= 0) {
                local.put(queue.queue, offset);
                queue.committed(offset);
            }
            return CompletableFuture.completedFuture(null);
        }
        String address = routes.master(queue.queue.broker());
        if (offset < 0 || address == null) {
            return CompletableFuture.completedFuture(null);
        }
        return offsets.commit(address, group, queue.queue, offset)
                .thenAccept(done -> queue.committed(offset))
                .exceptionally(failure -> {
                    LOG.info("committing {} of {} failed: {}", offset, queue.queue, failure.getMessage());
                    return null;
                });
    }

    /** Writes local offsets to their file, if there is one. Blocks. */
    void save() {
        if (local == null) {
            return;
        }
        try {
            local.save();
        } catch (IOException e) {
            LOG.warn("the progress of broadcast group {} is not saved: {}", group, e.getMessage());
        }
    }
}
