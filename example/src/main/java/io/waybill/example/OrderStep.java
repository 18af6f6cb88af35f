/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

/** What happens to an order, in this order. */
public enum OrderStep {
    /** The customer placed it. */
    CREATED,
    /** The money is there. */
    PAID,
    /** It left the warehouse. */
    SHIPPED
}
