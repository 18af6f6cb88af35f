/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

/**
 * What one crash did to what was not yet forced; a test whose faults never happened proves nothing.
 *
 * @param lostSectors un-forced sectors that came back as they were before the first un-forced change
 * @param keptSectors un-forced sectors that came back as last written
 * @param staleSectors un-forced sectors that came back as an earlier of several un-forced writes: reordering
 * @param tornSectors un-forced sectors that came back as a mixture of two states
 * @param lostSizes files whose un-forced growth or cut was lost, wholly or in part
 * @param keptSizes files whose un-forced growth or cut was kept
 * @param lostEntries un-forced creations, renames and deletions that did not happen after all
 * @param keptEntries un-forced creations, renames and deletions that did
 */
public record CrashEvidence(
        int lostSectors,
        int keptSectors,
        int staleSectors,
        int tornSectors,
        int lostSizes,
        int keptSizes,
        int lostEntries,
        int keptEntries) {

    /** Whether there was anything at stake. */
    public boolean nothingAtStake() {
        return equals(new CrashEvidence(0, 0, 0, 0, 0, 0, 0, 0));
    }
}
