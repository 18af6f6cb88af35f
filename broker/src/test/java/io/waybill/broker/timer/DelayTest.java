/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.broker.settings.DelayLevels;
import io.waybill.broker.settings.TimerSettings;
import io.waybill.protocol.ResponseCode;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What delay properties mean. */
class DelayTest {
    private static final long NOW = 1_000_000;

    private static Delay delay(String... pairs) {
        Map<String, String> properties = new HashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            properties.put(pairs[i], pairs[i + 1]);
        }
        return new DelayedMessageWriter(null, null, TimerSettings.defaults(), "broker-a", null, null)
                .delayOf(properties, NOW);
    }

    @Test
    void levelsAreClampedAndNoneBelowOne() {
        assertThat(delay("DELAY", "1").dueMillis()).isEqualTo(NOW + 1_000);
        assertThat(delay("DELAY", "5").dueMillis()).isEqualTo(NOW + 60_000);
        assertThat(delay("DELAY", "18").dueMillis()).isEqualTo(NOW + 7_200_000);
        assertThat(delay("DELAY", "99").dueMillis()).isEqualTo(NOW + 7_200_000);
        assertThat(delay("DELAY", "99").level()).isEqualTo(18);
        assertThat(delay("DELAY", "0").kind()).isEqualTo(Delay.DelayKind.NONE);
        assertThat(delay("DELAY", "-4").kind()).isEqualTo(Delay.DelayKind.NONE);
        assertThat(delay().kind()).isEqualTo(Delay.DelayKind.NONE);
    }

    @Test
    void levelBeforeSecondsBeforeMillisecondsBeforeTheAbsoluteTime() {
        assertThat(delay("DELAY", "1", "TIMER_DELAY_SEC", "7").dueMillis()).isEqualTo(NOW + 1_000);
        assertThat(delay("DELAY", "0", "TIMER_DELAY_SEC", "7", "TIMER_DELAY_MS", "5")
                        .dueMillis())
                .isEqualTo(NOW + 7_000);
        assertThat(delay("TIMER_DELAY_MS", "5", "TIMER_DELIVER_MS", "2000000").dueMillis())
                .isEqualTo(NOW + 5);
        assertThat(delay("TIMER_DELIVER_MS", "1000001").dueMillis()).isEqualTo(NOW + 1);
    }

    @Test
    void whatIsPastOrWasTimedBeforeIsNoDelay() {
        assertThat(delay("TIMER_DELIVER_MS", "1000000").kind()).isEqualTo(Delay.DelayKind.NONE);
        assertThat(delay("TIMER_DELAY_MS", "0").kind()).isEqualTo(Delay.DelayKind.NONE);
        assertThat(delay("TIMER_DELAY_MS", "-5").kind()).isEqualTo(Delay.DelayKind.NONE);
        assertThat(delay("TIMER_DELAY_MS", "5", "TIMER_OUT_MS", "1").kind()).isEqualTo(Delay.DelayKind.NONE);
    }

    @Test
    void whatCannotBeReadOrKeptIsRefusedAndSaysWhy() {
        for (String name : new String[] {"DELAY", "TIMER_DELAY_SEC", "TIMER_DELAY_MS", "TIMER_DELIVER_MS"}) {
            Delay refused = delay(name, "soon");
            assertThat(refused.code()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
            assertThat(refused.remark()).contains(name).contains("soon");
        }
        assertThat(delay("TIMER_DELAY_SEC", Long.toString(Long.MAX_VALUE)).isRefused())
                .isTrue();
        assertThat(delay("TIMER_DELAY_SEC", "400000000").remark()).contains("timerMaxDelayMillis");
    }

    @Test
    void aTableOfLevelsIsReadOrItsBadEntryIsNamed() {
        DelayLevels levels = DelayLevels.parse(" 500ms 2s 1d ");
        assertThat(levels.delayMillis(1)).isEqualTo(500);
        assertThat(levels.delayMillis(3)).isEqualTo(86_400_000);
        assertThat(levels.delayMillis(0)).isZero();
        for (String bad : new String[] {"", "5", "s", "0s", "5x", "-1s", "99999999999s", "1s,2s"}) {
            assertThatThrownBy(() -> DelayLevels.parse(bad)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> DelayLevels.parse("1s 5x")).hasMessageContaining("5x");
    }

    @Test
    void aRecallHandleNamesWhatTheStockClientExpects() {
        // From a captured request: v1 ProtoTopic broker-a 1795349743001 FD00..., and our signature behind it.
        String captured =
                "djEgUHJvdG9Ub3BpYyBicm9rZXItYSAxNzk1MzQ5NzQzMDAxIEZEMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAyM0UwMzRF"
                        + "MEUyRjJBNkVDNkE5QzYwMDBD";
        RecallSigner signer = new RecallSigner("a secret".getBytes(StandardCharsets.UTF_8));
        String text = new String(Base64.getUrlDecoder().decode(captured), StandardCharsets.UTF_8);
        String handle = Base64.getUrlEncoder()
                .encodeToString((text + '.' + signer.sign(text)).getBytes(StandardCharsets.UTF_8));
        RecallHandle parsed = RecallHandle.parse(handle, signer);
        assertThat(parsed.topic()).isEqualTo("ProtoTopic");
        assertThat(parsed.brokerName()).isEqualTo("broker-a");
        assertThat(parsed.dueMillis()).isEqualTo(1_795_349_743_000L);
        assertThat(parsed.uniqueKey()).isEqualTo("FD0000000000000000000000000000023E034E0E2F2A6EC6A9C6000C");
        assertThat(parsed.encode(signer)).isEqualTo(handle);
        for (String bad : new String[] {"", "???", "djEgYQ==", "x".repeat(5_000), captured}) {
            assertThatThrownBy(() -> RecallHandle.parse(bad, signer)).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
