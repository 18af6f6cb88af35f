/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** The store cannot be opened or closed; the message says why and what to do. */
public class StoreException extends Exception {
    public StoreException(String message) {
        super(message);
    }

    public StoreException(String message, Throwable cause) {
        super(message, cause);
    }
}
