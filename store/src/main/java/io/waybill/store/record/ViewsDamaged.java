/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * The backend of the views cannot be read or written now, or what is asked for is rebuilt. The log is not affected, and nothing
 * was answered wrongly: the same question has its answer later.
 */
public final class ViewsDamaged extends RuntimeException {
    private static final long serialVersionUID = 1;

    public ViewsDamaged(String message, Throwable cause) {
        super(message, cause);
    }

    public ViewsDamaged(String message) {
        super(message);
    }
}
