/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import io.waybill.protocol.message.BadValue;

/** A field of a header or a member of a body that breaks a rule; the request is refused, the connection lives on. */
public final class BadField extends BadValue {
    public BadField(String field, String limit, String seen) {
        super(field, limit, seen);
    }
}
