/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.WaybillException;
import org.junit.jupiter.api.Test;

/** What a client is made of. */
class ConnectedClientTest {
    @Test
    void nameServersAreChecked() {
        assertThat(ConnectedClient.addresses("a:1; b:2,c:3")).containsExactly("a:1", "b:2", "c:3");
        for (String wrong : new String[] {null, "", "host", "host:", ":1", "host:x", "host:0", "host:70000"}) {
            assertThatThrownBy(() -> ConnectedClient.addresses(wrong)).isInstanceOf(WaybillException.class);
        }
    }
}
