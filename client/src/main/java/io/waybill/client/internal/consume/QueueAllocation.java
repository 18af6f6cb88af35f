/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Who gets which queues: every member computes it alone from the same sorted lists, so all agree without talking. Average: consecutive runs whose
 * lengths differ by at most one, the longer ones first; the same as the stock client's default, so mixed groups work.
 */
final class QueueAllocation {
    private QueueAllocation() {}

    /**
     * The share of one member; empty if it is not among the members or there are more members than queues and it comes too late.
     *
     * @param queues all queues
     * @param members all members' ids
     */
    static <Q extends Comparable<? super Q>> List<Q> average(List<Q> queues, List<String> members, String self) {
        List<Q> sortedQueues = new ArrayList<>(queues);
        Collections.sort(sortedQueues);
        List<String> sortedMembers = new ArrayList<>(members);
        Collections.sort(sortedMembers);
        int index = sortedMembers.indexOf(self);
        if (index < 0) {
            return List.of();
        }
        int share = sortedQueues.size() / sortedMembers.size();
        int longer = sortedQueues.size() % sortedMembers.size();
        int from = index * share + Math.min(index, longer);
        int to = from + share + (index < longer ? 1 : 0);
        return List.copyOf(sortedQueues.subList(from, to));
    }
}
