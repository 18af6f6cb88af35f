/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The simulated twins of time, randomness, threads and files: single steps, one seed, and a disk that loses what it may lose.
 * In the main source so that every module's tests can use them. Read {@link io.waybill.platform.simulated.SimulatedDuties} first,
 * then {@code SimulatedFiles}, whose comment is the fault model. Imports {@code platform}.
 */
package io.waybill.platform.simulated;
