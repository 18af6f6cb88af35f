/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import java.util.function.Consumer;

/** What groups have in quarantine, as far as the deletion of a group concerns it. Safe from any thread. */
@FunctionalInterface
public interface QuarantinedMessages {
    /** Of a broker without a quarantine. */
    QuarantinedMessages NONE = (group, then) -> then.accept(null);

    /**
     * Forgets all keys and messages of a group.
     *
     * @param then called exactly once: with null, or with the sentence why it was not done
     */
    void forget(String group, Consumer<String> then);
}
