/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The simulated twins of time, randomness, threads and files: single steps, one seed, and a disk that loses what it may lose.
 * In the main source so that every module's tests can use them.
 */
package io.waybill.platform.simulated;
