/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Programs of one page each: a small order service with its own database (H2, in memory) that uses Waybill. Run one with the name server as its
 * argument, or in NAMESRV_ADDR; the default is 127.0.0.1:9876.
 */
package io.waybill.example;
