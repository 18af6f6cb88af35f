/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The only doors to the machine: time, randomness, threads and files. Everything else asks here, so that the simulated twins
 * in {@link io.waybill.platform.simulated} can replay a failure from a seed and pass thirty days in a millisecond. Read
 * {@link io.waybill.platform.Platform} first. Imports nothing of the house.
 */
package io.waybill.platform;
