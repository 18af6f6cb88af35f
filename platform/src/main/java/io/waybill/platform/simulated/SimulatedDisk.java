/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import io.waybill.platform.RandomSource;
import java.io.IOException;
import java.util.TreeMap;

/**
 * What lies under {@link SimulatedFiles}, which say what may happen to it: a test cuts its power, kills its user, fills, damages and reads it. Safe from
 * any thread.
 */
public final class SimulatedDisk {
    private final Object lock; // of the files, which use what is package-private while they hold it
    private final RandomSource random; // only for how failing calls fail
    private final Namespace names = new Namespace();
    private long capacityBytes = Long.MAX_VALUE;
    private long instants; // orders un-forced writes and entries against each other
    private boolean dead;
    private CrashEvidence evidence = new CrashEvidence(0, 0, 0, 0, 0, 0, 0, 0);

    SimulatedDisk(Object lock, RandomSource random) {
        this.lock = lock;
        this.random = random;
    }

    // ---- what a test does to it

    /**
     * Cuts the power.
     *
     * @return the disk as it is found afterwards; this one is unusable from now on
     */
    public SimulatedFiles crash(RandomSource fate) {
        synchronized (lock) {
            SimulatedFiles survivor = afterPowerCut(fate);
            dead = true;
            return survivor;
        }
    }

    /** What would be found if the power were cut now; this disk goes on. */
    public SimulatedFiles afterPowerCut(RandomSource fate) {
        synchronized (lock) {
            return survivor(Fate.drawn(fate, instants));
        }
    }

    /**
     * Kills the process that uses the disk: all that was written is there, because the page cache survives. What was not
     * forced is still not, and what a failed force left doubtful is still doubtful.
     *
     * @return the disk as it is found afterwards; this one is unusable from now on
     */
    public SimulatedFiles kill() {
        synchronized (lock) {
            SimulatedFiles heir = new SimulatedFiles(random);
            heir.disk().capacityBytes = capacityBytes;
            heir.disk().instants = instants;
            heir.disk().names.becomeHeirOf(names);
            dead = true;
            return heir;
        }
    }

    /** A second disk with what is seen on this one, all of it forced; without its faults. */
    public SimulatedFiles copy() {
        synchronized (lock) {
            return survivor(Fate.keepAll());
        }
    }

    private SimulatedFiles survivor(Fate fate) {
        SimulatedFiles survivor = new SimulatedFiles(random);
        SimulatedDisk found = survivor.disk();
        found.capacityBytes = capacityBytes;
        found.evidence = found.names.becomeSurvivorOf(names, fate);
        return survivor;
    }

    /** Limits the sum of all file sizes; below what is used now, nothing more can grow. */
    public void capacityBytes(long bytes) {
        synchronized (lock) {
            capacityBytes = bytes;
        }
    }

    /**
     * Damages a file for good, behind the back of every force.
     *
     * @param bitPosition bit in the file: byte position * 8 + bit, lowest first
     */
    public void flipBit(String name, long bitPosition) throws IOException {
        synchronized (lock) {
            SectorFile file = names.file(name);
            if (bitPosition < 0 || bitPosition / 8 >= file.size()) {
                throw new IllegalArgumentException(name + " has no bit " + bitPosition);
            }
            file.flipBit(bitPosition);
        }
    }

    // ---- what a test can see

    /** What the power cut that left this disk did. */
    public CrashEvidence evidence() {
        synchronized (lock) {
            return evidence;
        }
    }

    /** Every file and its bytes, by full name. */
    public TreeMap<String, byte[]> contents() {
        synchronized (lock) {
            TreeMap<String, byte[]> contents = new TreeMap<>();
            names.forEachFile((name, file) -> contents.put(name, file.bytes()));
            return contents;
        }
    }

    /** Sum of all file sizes. */
    public long usedBytes() {
        synchronized (lock) {
            return names.usedBytes();
        }
    }

    // ---- for the files

    Namespace names() {
        return names;
    }

    long nextInstant() {
        return ++instants;
    }

    long capacityBytes() {
        return capacityBytes;
    }

    long usableBytes() {
        return capacityBytes == Long.MAX_VALUE ? Long.MAX_VALUE : Math.max(0, capacityBytes - names.usedBytes());
    }

    void refuseIfDead() throws IOException {
        if (dead) {
            throw new IOException("this simulated disk is gone: its power was cut or its process killed");
        }
    }
}
