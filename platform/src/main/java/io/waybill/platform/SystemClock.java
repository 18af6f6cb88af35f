/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

/** Reads the machine's clocks. */
enum SystemClock implements Clock {
    INSTANCE;

    @Override
    public long wallMillis() {
        return System.currentTimeMillis();
    }

    @Override
    public long nanoTime() {
        return System.nanoTime();
    }
}
