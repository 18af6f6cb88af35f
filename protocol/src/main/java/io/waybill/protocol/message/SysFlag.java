/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

/**
 * The bits of a message's sysFlag.
 *
 * <pre>
 *  bit 0     body is compressed            bit 6     the consumer unwraps the body as an inner batch
 *  bit 1     multi tags                    bit 7     inner batch record
 *  bit 2-3   transaction state             bit 8-10  compression type
 *  bit 4     bornHost is IPv6
 *  bit 5     storeHost is IPv6
 * </pre>
 */
public final class SysFlag {
    public static final int COMPRESSED = 0x1;
    public static final int MULTI_TAGS = 0x2;
    public static final int TRANSACTION_NONE = 0;
    public static final int TRANSACTION_PREPARED = 0x4;
    public static final int TRANSACTION_COMMIT = 0x8;
    public static final int TRANSACTION_ROLLBACK = 0xC;
    public static final int TRANSACTION_MASK = 0xC;
    public static final int BORN_HOST_V6 = 0x10;
    public static final int STORE_HOST_V6 = 0x20;
    public static final int NEED_UNWRAP = 0x40;
    public static final int INNER_BATCH = 0x80;
    public static final int COMPRESSION_MASK = 0x700;
    public static final int COMPRESSION_UNSPECIFIED = 0;
    public static final int COMPRESSION_LZ4 = 0x100;
    public static final int COMPRESSION_ZSTD = 0x200;
    public static final int COMPRESSION_ZLIB = 0x300;

    private SysFlag() {}

    /** The transaction bits alone: one of the {@code TRANSACTION_} constants. */
    public static int transactionState(int sysFlag) {
        return sysFlag & TRANSACTION_MASK;
    }

    /** The same flag with the transaction bits replaced. */
    public static int withTransactionState(int sysFlag, int state) {
        return (sysFlag & ~TRANSACTION_MASK) | (state & TRANSACTION_MASK);
    }

    public static boolean isCompressed(int sysFlag) {
        return (sysFlag & COMPRESSED) != 0;
    }
}
