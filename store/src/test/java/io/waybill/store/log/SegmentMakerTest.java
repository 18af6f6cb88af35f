/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.Files;
import io.waybill.platform.RandomSource;
import io.waybill.platform.StoreFile;
import io.waybill.platform.simulated.Fault;
import io.waybill.platform.simulated.FileCall;
import io.waybill.platform.simulated.SimulatedFiles;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.Test;

/** Making a segment takes a file and its room, or nothing. */
class SegmentMakerTest {
    private final SimulatedFiles files = new SimulatedFiles(RandomSource.seeded(1));
    private int open;

    private static Object call(Method method, Object on, Object[] arguments) throws Throwable {
        try {
            return method.invoke(on, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private static <T> T proxy(Class<T> type, java.lang.reflect.InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
    }

    /** Counts the files that are open. */
    private Files counted() {
        return proxy(Files.class, (self, method, arguments) -> {
            Object result = call(method, files, arguments);
            if (!(result instanceof StoreFile file)) {
                return result;
            }
            open++;
            return proxy(StoreFile.class, (it, asked, with) -> {
                open -= asked.getName().equals("close") ? 1 : 0;
                return call(asked, file, with);
            });
        });
    }

    @Test
    void aSegmentThatCannotBeMappedIsGivenBack() throws Exception {
        files.createDirectories(Segment.DIRECTORY);
        SegmentMaker maker = new SegmentMaker(
                counted(), StoreSettings.defaults().withSegmentBytes(8192).withRetention(0, 0, 0, 1_000), 0);
        for (int i = 0; i < 3; i++) {
            files.faults().failAt(FileCall.MAP, 1, Fault.EIO);
            maker.run();
            assertThat(maker.failure()).isNotNull();
            assertThat(maker.next()).isNull();
            assertThat(open).isZero();
            assertThat(files.list(Segment.DIRECTORY)).isEmpty();
        }
        maker.run();
        assertThat(maker.failure()).isNull();
        assertThat(maker.next()).isNotNull();
        assertThat(open).isEqualTo(1);
        maker.dispose();
        assertThat(open).isZero();
    }
}
