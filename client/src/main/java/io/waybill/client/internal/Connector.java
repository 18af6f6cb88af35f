/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.ClientProvider;
import io.waybill.client.WaybillClient;
import io.waybill.client.internal.runtime.ClientTimeouts;

/** What {@link WaybillClient#connect} finds (ADR 0034). */
public final class Connector implements ClientProvider {
    /** For the service loader. */
    public Connector() {}

    @Override
    public WaybillClient connect(String nameServers) {
        return ConnectedClient.connect(nameServers, ClientTimeouts.standard());
    }
}
