/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol;

import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.MalformedFrame;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/** The captured frames of the reference, from the test resources. */
public final class Fixtures {
    public static final String STORED_MESSAGE = "stored_message_v1_single";

    private Fixtures() {}

    /** Names of all captured frames, sorted; the bare stored message is not among them. */
    public static List<String> frames() {
        Path folder = Path.of("src/test/resources/fixtures");
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .map(name -> name.substring(0, name.length() - ".hex".length()))
                    .filter(name -> !name.equals(STORED_MESSAGE))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static byte[] bytes(String name) {
        try (InputStream in = Fixtures.class.getResourceAsStream("/fixtures/" + name + ".hex")) {
            String text = new String(in.readAllBytes(), StandardCharsets.US_ASCII);
            return HexFormat.of().parseHex(text.replaceAll("\\s", ""));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static Command command(String name) {
        return decode(bytes(name));
    }

    /** Decodes a whole frame, length word included. */
    public static Command decode(byte[] frame) {
        try {
            return Command.decode(ByteBuffer.wrap(frame, 4, frame.length - 4));
        } catch (MalformedFrame e) {
            throw new AssertionError(e);
        }
    }
}
