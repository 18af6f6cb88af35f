/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class BrokerSettingsTest {
    @Test
    void theDefaults() {
        String table = BrokerSettings.table().stream()
                .map(s -> s.key() + "=" + BrokerSettings.defaults().get(s.key()))
                .collect(Collectors.joining("\n"));
        assertThat(table).isEqualTo("""
                        clusterName=DefaultCluster
                        brokerName=broker-a
                        brokerId=0
                        host=127.0.0.1
                        insecure=false
                        port=10911
                        advertisedHost=
                        namesrv=127.0.0.1:9876
                        flush=sync
                        asyncFlushMillis=200
                        autoCreateTopic=true
                        autoCreateTopicQueues=8
                        autoCreateGroup=true
                        maxTopics=100000
                        maxGroups=100000
                        maxConnections=10000
                        maxHeldPulls=50000
                        messageRequestMode=pull
                        region=DefaultRegion
                        trace=true
                        maxMessageBytes=4194304
                        transactionTimeoutMillis=6000
                        transactionCheckMillis=30000
                        transactionCheckMax=15
                        messageDelayLevels=1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h
                        timerMaxDelayMillis=315360000000
                        recall=true
                        retryMax=16
                        pullMaxCount=1024
                        pullMaxBytes=1048576
                        pullHoldMaxMillis=30000
                        coldReadThreads=2
                        registerMillis=30000
                        registerTimeoutMillis=1000
                        clientExpiryMillis=120000
                        lockExpiryMillis=60000
                        offsetFlushMillis=1000
                        segmentBytes=67108864
                        maxClockAheadMillis=3600000
                        checkpointMillis=5000
                        checkpointBytes=67108864
                        retentionMillis=259200000
                        retentionBytes=0
                        freeDiskFloorBytes=268435456""");
    }

    @Test
    void everySettingCanBeSetToItsDefaultAndHasASentence() {
        BrokerSettings settings = BrokerSettings.defaults();
        for (Setting setting : BrokerSettings.table()) {
            settings = settings.with(setting.key(), setting.defaultValue());
            assertThat(setting.sentence()).endsWith(".");
        }
        assertThat(settings.store()).isEqualTo(BrokerSettings.defaults().store());
        assertThat(BrokerSettings.table()).hasSizeLessThan(60);
    }

    @Test
    void anUnknownKeyNamesTheNearest() {
        assertThatThrownBy(() -> BrokerSettings.defaults().with("autocreatetopics", "true"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("did you mean 'autoCreateTopic'");
    }

    @Test
    void aBadValueNamesKeyLimitAndValue() {
        assertThatThrownBy(() -> BrokerSettings.defaults().with("port", "70000"))
                .hasMessageContaining("port")
                .hasMessageContaining("65535")
                .hasMessageContaining("70000");
        assertThatThrownBy(() -> BrokerSettings.defaults().with("port", "many")).hasMessageContaining("whole number");
        assertThatThrownBy(() -> BrokerSettings.defaults().with("recall", "perhaps"))
                .hasMessageContaining("true or false");
        assertThatThrownBy(() -> BrokerSettings.defaults().with("flush", "never"))
                .hasMessageContaining("sync, async");
        assertThatThrownBy(() -> BrokerSettings.defaults().with("brokerName", "a b"))
                .hasMessageContaining("brokerName");
        assertThatThrownBy(() -> BrokerSettings.defaults().with("messageDelayLevels", "1s soon"))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void nameServersAreAList() {
        assertThat(BrokerSettings.defaults()
                        .with("namesrv", "a:1; b:2,c:3;")
                        .registration()
                        .nameServers())
                .containsExactly("a:1", "b:2", "c:3");
        assertThat(BrokerSettings.defaults().with("namesrv", "").registration().nameServers())
                .isEmpty();
    }

    @Test
    void thereAreFewerThanSixty() {
        assertThat(BrokerSettings.table()).hasSizeLessThan(60);
    }

    @Test
    void aWordThatIsNearNothingIsGivenNoOther() {
        assertThatThrownBy(() -> BrokerSettings.defaults().with("nokey", "1"))
                .hasMessage("unknown setting 'nokey'; --list-settings shows those there are");
        assertThatThrownBy(() -> BrokerSettings.defaults().with("flsh", "sync"))
                .hasMessageContaining("did you mean 'flush'");
    }
}
