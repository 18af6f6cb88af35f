/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The programs of the example module against an embedded broker. Here and not in the example module, whose tests would need the server that only this
 * module and the command depend on. Start with {@code ExamplesTest}.
 */
package io.waybill.verify.example;
