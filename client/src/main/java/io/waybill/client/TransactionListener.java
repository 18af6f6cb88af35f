/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/**
 * The service's own side of a transaction. The truth lives in the service's database: {@link #check} must read it there, because it may be asked in
 * another process than the one that executed.
 */
public interface TransactionListener {
    /**
     * Runs the local transaction, after the half message is stored. Called on the sending thread.
     *
     * @param message the message, whose {@link Message#id()} the check will ask by
     * @param argument what was given to {@link TransactionProducer#send}, or null
     * @return the outcome; an exception counts as UNKNOWN, so the broker will ask {@link #check}
     */
    Decision execute(Message message, Object argument) throws Exception;

    /**
     * Tells the outcome of a transaction whose decision has not reached the broker. Called on a listener thread, possibly several times. Not called
     * while {@link #execute} of the message runs in this process; but it may run in another process, or have been cut off with it: answer UNKNOWN
     * unless the outcome is sure to stay, as with an outcome table in the service's database.
     *
     * @return the outcome; an exception counts as UNKNOWN
     */
    Decision check(ReceivedMessage message) throws Exception;
}
