/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.platform.RandomSource;
import io.waybill.store.CatalogStore;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Signs what only this store may have said, so that nobody calls back a message whose unique key was merely guessed or read by a consumer. The secret
 * is made at the first start and stands in the store's catalog: it never leaves the broker, and a handle is good in every life of the store.
 * Thread-safe.
 */
public final class RecallSigner {
    private static final Logger LOG = LoggerFactory.getLogger(RecallSigner.class);

    private static final String ALGORITHM = "HmacSHA256";
    private static final String SETTING = "recallSecret";
    private static final int SECRET_BYTES = 32;
    private static final int SIGNATURE_BYTES = 16;

    /** Characters of a signature: base64url without padding. */
    static final int SIGNATURE_LENGTH = 22;

    private final SecretKeySpec key;

    RecallSigner(byte[] secret) {
        this.key = new SecretKeySpec(secret, ALGORITHM);
    }

    /** The signer of this store. Its secret stands in the log before the first message that is signed with it. */
    public static RecallSigner of(CatalogStore store, RandomSource random) {
        byte[] secret = store.catalogValue(CatalogKind.SETTING, SETTING);
        if (secret == null || secret.length != SECRET_BYTES) {
            secret = new byte[SECRET_BYTES];
            random.nextSecret(secret);
            store.putCatalog(CatalogKind.SETTING, SETTING, secret, outcome -> {
                if (!(outcome instanceof Stored)) {
                    LOG.warn("Recall handles made now are not good after the next start: {}", outcome);
                }
            });
        }
        return new RecallSigner(secret);
    }

    String sign(String text) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            byte[] all = mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
            return Base64.getUrlEncoder().withoutPadding().encodeToString(Arrays.copyOf(all, SIGNATURE_BYTES));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JDK has " + ALGORITHM, e);
        }
    }

    /** In the same time whatever differs. */
    boolean isOf(String text, String signature) {
        return MessageDigest.isEqual(
                sign(text).getBytes(StandardCharsets.UTF_8), signature.getBytes(StandardCharsets.UTF_8));
    }
}
