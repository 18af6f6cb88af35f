/* SPDX-License-Identifier: Apache-2.0 */
/** The code tables of the remoting protocol and the grammar of topic and group names. */
package io.waybill.protocol;
