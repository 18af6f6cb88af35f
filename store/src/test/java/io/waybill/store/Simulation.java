/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.Completion;
import io.waybill.store.log.FlushMode;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.Stored;
import io.waybill.store.view.MemoryBackend;
import io.waybill.store.view.ViewsBackend;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A store on a simulated machine, stepped by the test. Closing checks the whole store. */
final class Simulation implements AutoCloseable {
    static final StoreSettings SMALL = StoreSettings.defaults()
            .withSegmentBytes(8192)
            .withMaxFrameBytes(2048)
            .withHotBytes(16_384)
            .withMaxWaiting(1024)
            .withRetention(0, 0, 0, 1_000)
            .withCheckpoint(1 << 20, 1_000_000);

    final SimulatedClock clock = new SimulatedClock();
    final MemoryBackend backend = ViewsBackend.memory();
    StoreSettings settings;
    SimulatedFiles files = new SimulatedFiles(RandomSource.seeded(7));
    SimulatedDuties duties;
    Store store;

    Simulation(StoreSettings settings) throws StoreException {
        this.settings = settings;
        open();
    }

    static Simulation sync() throws StoreException {
        return new Simulation(SMALL);
    }

    static Simulation async() throws StoreException {
        return new Simulation(SMALL.withFlush(FlushMode.ASYNC));
    }

    void open() throws StoreException {
        duties = new SimulatedDuties(clock);
        store = Store.open(files, new Platform(clock, RandomSource.seeded(1), duties), settings, backend);
        duties.runUntilIdle();
    }

    /** Ends the process; everything written is still there. */
    void kill() {
        files = files.disk().kill();
        backend.crash();
    }

    void checkpoint() {
        duties.advance(settings.checkpointMillis() + 1);
    }

    /** A change whose outcome the test looks at. */
    interface Doing {
        void to(Store store, Completion done);
    }

    /** Does it and steps until it is answered. */
    Outcome outcome(Doing doing) {
        List<Outcome> outcomes = new ArrayList<>();
        doing.to(store, outcomes::add);
        duties.runUntilIdle();
        assertThat(outcomes).hasSize(1);
        return outcomes.get(0);
    }

    Stored stored(Doing doing) {
        Outcome outcome = outcome(doing);
        assertThat(outcome).isInstanceOf(Stored.class);
        return (Stored) outcome;
    }

    Stored put(String topic, String body) {
        return stored((s, done) -> s.messages().append(draft(topic, body), done));
    }

    static MessageDraft draft(String topic, String body) {
        InetSocketAddress host = new InetSocketAddress(InetAddress.getLoopbackAddress(), 10911);
        return MessageDraft.builder()
                .topic(topic)
                .queueId(0)
                .bornHost(host)
                .storeHost(host)
                .body(body.getBytes(StandardCharsets.UTF_8))
                .properties(Map.of("UNIQ_KEY", "u-" + body, "KEYS", "all " + body, "TAGS", body))
                .build();
    }

    static String body(ByteBuffer message, int at) {
        return StandardCharsets.UTF_8.decode(StoredMessage.body(message, at)).toString();
    }

    /** The bodies of all messages that can be read in queue 0 of the topic. */
    List<String> bodies(String topic) {
        List<String> bodies = new ArrayList<>();
        long offset = store.queues().offsetRange(topic, 0).minOffset();
        ReadResult result;
        while ((result = store.queues().readQueue(topic, 0, offset, 32, 4096, null, null)).status()
                == ReadResult.Status.FOUND) {
            for (ByteBuffer slice : result.slices()) {
                for (int at = 0; at < slice.limit(); at += StoredMessage.totalSize(slice, at)) {
                    bodies.add(body(slice, at));
                }
            }
            offset = result.nextOffset();
        }
        return bodies;
    }

    StoreCheck.Report check() throws StoreException {
        return StoreCheck.check(files.disk().copy(), backend);
    }

    @Override
    public void close() throws StoreException {
        store.close();
        assertThat(check().findings()).isEmpty();
    }
}
