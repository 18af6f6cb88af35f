/* SPDX-License-Identifier: Apache-2.0 */
/** The demo: runs the examples against a server of its own and checks every claim it prints. */
package io.waybill.example.demo;
