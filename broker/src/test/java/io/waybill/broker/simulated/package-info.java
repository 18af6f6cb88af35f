/* SPDX-License-Identifier: Apache-2.0 */
/** A broker's features on simulated time, threads and files, with clients that only keep what they are sent. */
package io.waybill.broker.simulated;
