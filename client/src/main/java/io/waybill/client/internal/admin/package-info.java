/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Questions and changes for tools and scripts.
 *
 * <p>Start with {@link io.waybill.client.internal.admin.ClusterAdmin}; each {@code Admin...} class implements one part of the public interface, and
 * {@code AdminConnections} asks the brokers for all of them. May import {@code group}, {@code route}, {@code connection}, {@code message},
 * {@code runtime}, and {@code send} for changes of delayed messages.
 */
package io.waybill.client.internal.admin;
