/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.FakeRequest;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import org.junit.jupiter.api.Test;

class RoutesTest {
    private static Command ask(Routes routes, int code) {
        FakeRequest request = new FakeRequest(Command.request(code).build(), new FakeConnection(1));
        routes.handler().handle(request);
        return request.reply();
    }

    @Test
    void codesFindTheirHandlersHoweverLarge() {
        Routes routes = new Routes()
                .on(10, r -> r.refuse(100, "ten"))
                .on(200_050, r -> r.refuse(101, "pop"))
                .on(30_561, r -> r.refuse(102, "private"));
        assertThat(ask(routes, 10).code()).isEqualTo(100);
        assertThat(ask(routes, 200_050).code()).isEqualTo(101);
        assertThat(ask(routes, 30_561).code()).isEqualTo(102);
        assertThat(routes.codes()).containsExactly(10, 30_561, 200_050);
    }

    @Test
    void anUnknownCodeIs3AndABadFieldIs29() {
        Routes routes = new Routes().on(10, r -> {
            throw new BadField("queueId", "a number", "x");
        });
        assertThat(ask(routes, 11).code()).isEqualTo(ResponseCode.REQUEST_CODE_NOT_SUPPORTED);
        assertThat(ask(routes, -5).code()).isEqualTo(ResponseCode.REQUEST_CODE_NOT_SUPPORTED);
        assertThat(ask(routes, 10).code()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(ask(routes, 10).remark()).contains("queueId");
    }

    @Test
    void aCodeHasOneHandler() {
        Routes routes = new Routes().on(10, r -> {});
        assertThatThrownBy(() -> routes.on(10, r -> {})).hasMessageContaining("10");
    }
}
