/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

/**
 * Which of several things a cause stands for, as the wire names it: whoever reads a finding decides by it which facts to look for, and never by
 * which facts are there. A cause that stands for one thing has none.
 */
enum SubCause {
    /** FILTERED_OUT: the group has not come to it yet. */
    AHEAD,
    /** CONSUME_DISABLED: the members may not broadcast. */
    BROADCAST,
    /** NOT_FOUND: its delay was cancelled. */
    CANCELLED,
    /** DEAD_LETTER, QUARANTINED: an operator gave it up. */
    DISCARDED,
    /** The group is done with all there is; of CONSUMED. */
    EVERYTHING,
    /** HALF: nobody decided its transaction, and nobody is asked any more. */
    GIVEN_UP,
    /** CONSUME_DISABLED: the group may not consume. */
    GROUP,
    /** QUARANTINED: its key is quarantined; it still stands in its queue. */
    KEY,
    /** One message; of IN_RETRY, DELAYED and CONSUMED. */
    MESSAGE,
    /** BEYOND_OFFSET: somebody moved the offset over it. */
    MOVED,
    /** NOBODY_CONNECTED: the group is not known here. */
    NO_GROUP,
    /** NOBODY_CONNECTED: the group is known and has no member. */
    NO_MEMBER,
    /** QUEUE_OWNED: nobody reads the queue. */
    NO_READER,
    /** NOT_FOUND: there is no such topic. */
    NO_TOPIC,
    /** QUEUE_OWNED: one member reads the queue. */
    ONE_READER,
    /** HALF: nobody decided its transaction yet. DEAD_LETTER: nobody settled it yet. */
    OPEN,
    /** BEYOND_OFFSET: nobody is known to have moved it. */
    PASSED,
    /** FILTERED_OUT: the group went past it. */
    PASSED_OVER,
    /** IN_FLIGHT: handed out by a pop. */
    POPPED,
    /** QUEUE_OWNED: no member holds the queue, since the group pops. */
    POPS,
    /** IN_FLIGHT: handed out by a pull. */
    PULLED,
    /** DEAD_LETTER: an operator sent it again. */
    REDRIVEN,
    /** NOT_FOUND: retention has removed it. */
    REMOVED,
    /** NOT_FOUND: its transaction was rolled back. */
    ROLLED_BACK,
    /** QUARANTINED: set aside with its key. */
    SET_ASIDE,
    /** CONSUME_DISABLED: the topic may not be read. */
    TOPIC,
    /** All messages of a topic that wait so, by their number; of IN_RETRY, DELAYED, HALF, DEAD_LETTER and QUARANTINED. */
    TOPIC_TOTAL,
    /** NOT_FOUND: no such message is known. */
    UNKNOWN
}
