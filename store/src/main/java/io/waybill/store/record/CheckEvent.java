/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * A check of an open transaction, or an answer that belongs to no check known here.
 *
 * @param atMillis when the check was delivered (store time); for an answer alone, when it came
 * @param number of the check, from 1; 0 for an answer alone
 * @param client who was asked, or answered
 * @param reason why this client
 * @param answerOrNull what the client said; null if nothing is recorded
 * @param answeredMillis when it said so; 0 without an answer
 */
public record CheckEvent(
        long atMillis, int number, String client, CheckReason reason, String answerOrNull, long answeredMillis) {}
