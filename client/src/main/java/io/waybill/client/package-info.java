/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What an application uses: producers, transactional producers, consumers, replay and a small admin face. Everything here is a promise; everything
 * under {@code internal} may change in any release.
 */
package io.waybill.client;
