/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The code tables of the remoting protocol and the grammar of topic and group names. Read {@link io.waybill.protocol.Names}
 * first. Imports nothing of the house.
 */
package io.waybill.protocol;
