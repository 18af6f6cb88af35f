/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What brokers know of this client's groups, and which parts of the client belong to them.
 *
 * <p>Start with {@link io.waybill.client.internal.group.GroupMembership}, which sends heartbeats, and
 * {@link io.waybill.client.internal.group.MemberRegistry}, which keeps what was built. May import {@code route}, {@code connection}, {@code message} and
 * {@code runtime}.
 */
package io.waybill.client.internal.group;
