/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example.demo;

/** The machine is too slow for a check, so nothing is claimed. The message says what was waited for and how slow the machine is. */
final class TooSlow extends Exception {
    private static final long serialVersionUID = 1L;

    TooSlow(String message) {
        super(message);
    }
}
