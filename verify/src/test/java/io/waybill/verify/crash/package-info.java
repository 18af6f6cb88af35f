/* SPDX-License-Identifier: Apache-2.0 */
/** Real processes that are really killed. */
package io.waybill.verify.crash;
