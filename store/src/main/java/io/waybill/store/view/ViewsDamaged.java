/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/**
 * The backend of the views cannot be read or written. The log is not affected: the views can be deleted and are
 * rebuilt from it at the next open.
 */
public final class ViewsDamaged extends RuntimeException {
    private static final long serialVersionUID = 1;

    ViewsDamaged(String message, Throwable cause) {
        super(message, cause);
    }

    ViewsDamaged(String message) {
        super(message);
    }
}
