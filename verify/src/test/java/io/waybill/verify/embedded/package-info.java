/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The broker and the clients that the tests of this module start in their own process. Read {@code TestBroker} first. It
 * imports the server and test libraries only, so that the packages of stock and own clients share it.
 */
package io.waybill.verify.embedded;
