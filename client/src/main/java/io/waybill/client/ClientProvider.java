/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/**
 * Makes clients. Applications call {@link WaybillClient#connect}; this is how it finds what implements the types of this package, which know nothing of it
 * (ADR 0034).
 */
public interface ClientProvider {
    /** See {@link WaybillClient#connect}. */
    WaybillClient connect(String nameServers);
}
