/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

import java.nio.ByteBuffer;

/** Takes what one of several filters takes, none of which takes everything. Immutable. */
record AnyOf(Filter[] filters) implements Filter {
    @Override
    public boolean isAll() {
        return false;
    }

    @Override
    public int units(ByteBuffer buffer, int at) {
        int units = 0;
        for (Filter filter : filters) {
            units += filter.units(buffer, at);
        }
        return units;
    }

    @Override
    public boolean isHeavy() {
        for (Filter filter : filters) {
            if (filter.isHeavy()) {
                return true;
            }
        }
        return filters.length > Metered.MOST_LIGHT_PARTS;
    }

    @Override
    public int weightBytes() {
        int bytes = 0;
        for (Filter filter : filters) {
            bytes += filter.weightBytes();
        }
        return bytes;
    }

    @Override
    public boolean mayMatch(long tagsCode) {
        for (Filter filter : filters) {
            if (filter.mayMatch(tagsCode)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public boolean matches(ByteBuffer buffer, int at) {
        for (Filter filter : filters) {
            if (filter.matches(buffer, at)) {
                return true;
            }
        }
        return false;
    }
}
