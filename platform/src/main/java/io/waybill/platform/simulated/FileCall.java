/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

/** The calls that {@link SimulatedFiles} counts; those that change something can be made to fail. */
public enum FileCall {
    CREATE(true),
    WRITE(true),
    ALLOCATE(true),
    TRUNCATE(true),
    FORCE(true),
    RENAME(true),
    DELETE(true),
    CREATE_DIRECTORY(true),
    FORCE_DIRECTORY(true),
    OPEN(false),
    READ(false),
    MAP(false);

    private final boolean mutating;

    FileCall(boolean mutating) {
        this.mutating = mutating;
    }

    /** Whether {@link DiskFaults#failAt} counts it. */
    public boolean mutating() {
        return mutating;
    }
}
