/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import java.util.List;
import java.util.Objects;

/** What changes in one pop state, in this order. */
public record PopDelta(PopKey key, List<PopChange> changes) {
    public PopDelta {
        Objects.requireNonNull(key, "key");
        changes = List.copyOf(changes);
    }
}
