/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

/** Where the examples look for the name server. */
final class NameServer {
    private NameServer() {}

    /** The first argument, else NAMESRV_ADDR, else this machine's default port. */
    static String from(String[] arguments) {
        if (arguments.length > 0) {
            return arguments[0];
        }
        String address = System.getenv("NAMESRV_ADDR");
        return address == null || address.isBlank() ? "127.0.0.1:9876" : address;
    }
}
