/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import io.waybill.platform.RandomSource;
import java.util.Arrays;
import java.util.List;

/**
 * Decides, at one power cut, what happens to each thing that was not forced, and counts it. The kind of power cut is
 * drawn first, so that extreme outcomes are as common as mixed ones.
 */
final class Fate {
    private enum PowerCut {
        LOSE_ALL,
        KEEP_ALL,
        /** What was written before one instant is there, the write of that instant in parts, the rest not. */
        CUT_AT_INSTANT,
        /** Every sector, size and entry for itself. */
        DICE
    }

    private final PowerCut kind;
    private final RandomSource random;
    private final long cut;
    private final double keep;
    private final double stale;
    private final double torn;
    private int lostSectors;
    private int keptSectors;
    private int staleSectors;
    private int tornSectors;
    private int lostSizes;
    private int keptSizes;
    private int lostEntries;
    private int keptEntries;

    private Fate(PowerCut kind, RandomSource random, long cut, double keep, double stale, double torn) {
        this.kind = kind;
        this.random = random;
        this.cut = cut;
        this.keep = keep;
        this.stale = stale;
        this.torn = torn;
    }

    static Fate keepAll() {
        return new Fate(PowerCut.KEEP_ALL, null, 0, 1, 0, 0);
    }

    static Fate drawn(RandomSource random, long lastInstant) {
        int draw = random.nextInt(10);
        PowerCut kind = draw == 0
                ? PowerCut.LOSE_ALL
                : draw == 1 ? PowerCut.KEEP_ALL : draw <= 4 ? PowerCut.CUT_AT_INSTANT : PowerCut.DICE;
        // Mostly near the end: the last few writes are the ones that were not forced.
        long back = random.nextInt(1 + (int) Math.min(lastInstant, 1 << random.nextInt(12)));
        double[] odds = {0.05, 0.5, 0.95};
        double keep = odds[random.nextInt(odds.length)];
        double torn = random.nextInt(3) == 0 ? 0.2 : 0.01;
        return new Fate(kind, random, lastInstant - back, keep, 0.2, torn);
    }

    /** One sector: the states it went through (first = forced), the instants that made them, and how it is now. */
    byte[] sector(List<byte[]> states, List<Long> instants, byte[] now, long lastInstant, boolean doubtful) {
        byte[] forced = states.get(0);
        if (doubtful && kind != PowerCut.LOSE_ALL && random != null) {
            return random.happens(0.5) ? kept(now) : lost(forced);
        }
        switch (kind) {
            case LOSE_ALL:
                return lost(forced);
            case KEEP_ALL:
                return kept(now);
            case CUT_AT_INSTANT:
                if (lastInstant < cut || lastInstant == cut && random.happens(0.5)) {
                    return kept(now);
                }
                for (int i = states.size() - 1; i > 0; i--) {
                    if (instants.get(i) <= cut) {
                        staleSectors++;
                        return states.get(i);
                    }
                }
                return lost(forced);
            default:
                break;
        }
        if (random.happens(torn)) {
            tornSectors++;
            byte[] older = states.get(random.nextInt(states.size()));
            boolean newerFirst = random.happens(0.5);
            int at = 1 + random.nextInt(now.length - 1);
            byte[] mixed = Arrays.copyOf(newerFirst ? now : older, now.length);
            System.arraycopy(newerFirst ? older : now, at, mixed, at, now.length - at);
            return mixed;
        }
        if (states.size() > 1 && random.happens(stale)) {
            staleSectors++;
            return states.get(1 + random.nextInt(states.size() - 1));
        }
        return random.happens(keep) ? kept(now) : lost(forced);
    }

    private byte[] kept(byte[] now) {
        keptSectors++;
        return now;
    }

    private byte[] lost(byte[] forced) {
        lostSectors++;
        return forced;
    }

    /** Which of the sizes a file went through is found; the first one was forced, the last one is the present. */
    int size(long[] instants) {
        int last = instants.length - 1;
        int found = switch (kind) {
            case LOSE_ALL -> 0;
            case KEEP_ALL -> last;
            case CUT_AT_INSTANT -> {
                int index = last;
                while (index > 0 && instants[index] > cut) {
                    index--;
                }
                yield index;
            }
            case DICE -> random.happens(keep) ? last : random.nextInt(instants.length);
        };
        if (found == last) {
            keptSizes++;
        } else {
            lostSizes++;
        }
        return found;
    }

    /** Whether a change of directory entries happened. */
    boolean entry(long instant, boolean doubtful) {
        boolean kept = switch (kind) {
            case LOSE_ALL -> false;
            case KEEP_ALL -> random == null || !doubtful || random.happens(0.5);
            case CUT_AT_INSTANT -> doubtful ? random.happens(0.5) : instant <= cut;
            case DICE -> random.happens(doubtful ? 0.5 : keep);
        };
        if (kept) {
            keptEntries++;
        } else {
            lostEntries++;
        }
        return kept;
    }

    CrashEvidence evidence() {
        return new CrashEvidence(
                lostSectors, keptSectors, staleSectors, tornSectors, lostSizes, keptSizes, lostEntries, keptEntries);
    }
}
