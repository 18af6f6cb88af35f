/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/**
 * A database server of the test's own, from what is installed on this machine: on a free port of loopback, with its data in a temporary directory, as a
 * user that is not root. Without the server's programs the test is skipped, and says which it looked for.
 */
final class LocalDatabase implements AutoCloseable {
    private final Path directory;
    private final int port;
    private final Process process;
    private final Thread ending;

    private LocalDatabase(Path directory, int port, Process process) {
        this.directory = directory;
        this.port = port;
        this.process = process;
        this.ending = new Thread(process::destroyForcibly);
        Runtime.getRuntime().addShutdownHook(ending);
    }

    static LocalDatabase postgresql() throws IOException, InterruptedException {
        Path initdb = program("PostgreSQL", "initdb", "/usr/lib/postgresql");
        Path server = program("PostgreSQL", "postgres", "/usr/lib/postgresql");
        String user = userFor("postgres");
        Path directory = directory(user);
        run(user, initdb.toString(), "-D", directory + "/data", "-A", "trust", "-U", "waybill", "-E", "UTF8", "-N");
        int port = freePort();
        return start(
                user,
                directory,
                port,
                "database system is ready to accept connections",
                server.toString(),
                "-D",
                directory + "/data",
                "-p",
                Integer.toString(port),
                "-k",
                directory.toString(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off");
    }

    static LocalDatabase mariadb() throws IOException, InterruptedException {
        Path install = program("MariaDB", "mariadb-install-db", "/usr/bin");
        Path server = program("MariaDB", "mariadbd", "/usr/sbin");
        String user = userFor("mysql");
        Path directory = directory(user);
        run(
                user,
                install.toString(),
                "--no-defaults",
                "--datadir=" + directory + "/data",
                "--auth-root-authentication-method=normal",
                "--skip-test-db");
        int port = freePort();
        return start(
                user,
                directory,
                port,
                "ready for connections",
                server.toString(),
                "--no-defaults",
                "--datadir=" + directory + "/data",
                "--port=" + port,
                "--bind-address=127.0.0.1",
                "--socket=" + directory + "/socket",
                "--pid-file=" + directory + "/pid",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=16M");
    }

    int port() {
        return port;
    }

    @Override
    public void close() throws InterruptedException {
        process.destroy();
        process.waitFor();
        Runtime.getRuntime().removeShutdownHook(ending);
        removeAll(directory);
    }

    /** Reads what the server says until it is ready; a slow machine may take its time. */
    private static LocalDatabase start(String user, Path directory, int port, String ready, String... command)
            throws IOException {
        Process process = new ProcessBuilder(as(user, command))
                .redirectErrorStream(true)
                .directory(directory.toFile())
                .start();
        List<String> said = new ArrayList<>();
        BufferedReader output =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        for (String line = output.readLine(); line != null; line = output.readLine()) {
            said.add(line);
            if (line.contains(ready)) {
                Thread drain = new Thread(() -> drain(output), "database-log");
                drain.setDaemon(true);
                drain.start();
                return new LocalDatabase(directory, port, process);
            }
        }
        throw new IOException("the server ended before it was ready: " + said);
    }

    /** Or the server would wait for room in the pipe. */
    private static void drain(BufferedReader output) {
        try {
            output.lines().forEach(later -> {});
        } catch (UncheckedIOException ended) {
            // with the process
        }
    }

    private static void run(String user, String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(as(user, command))
                .redirectErrorStream(true)
                .directory(Path.of("/tmp").toFile())
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(command[0] + " failed: " + said);
        }
    }

    private static List<String> as(String user, String... command) {
        List<String> all = new ArrayList<>();
        if (user != null) {
            // Becomes the server itself, so that a signal to it reaches the server.
            all.addAll(List.of("setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups"));
        }
        all.addAll(List.of(command));
        return all;
    }

    /** Null if this process is not root; the servers refuse to run as root. */
    private static String userFor(String preferred) throws IOException {
        if (!"root".equals(System.getProperty("user.name"))) {
            return null;
        }
        Assumptions.assumeTrue(
                Files.exists(Path.of("/usr/bin/setpriv")),
                "skipped: root needs setpriv to start a server as " + preferred);
        Assumptions.assumeTrue(
                Files.readAllLines(Path.of("/etc/passwd")).stream().anyMatch(line -> line.startsWith(preferred + ":")),
                "skipped: there is no user " + preferred + ", and the server does not run as root");
        return preferred;
    }

    private static Path directory(String user) throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("waybill-db");
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
        if (user != null) {
            run(null, "chown", user, directory.toString());
        }
        return directory;
    }

    private static Path program(String product, String name, String below) throws IOException {
        List<Path> found = new ArrayList<>();
        if (Files.isDirectory(Path.of(below))) {
            try (Stream<Path> files = Files.find(
                    Path.of(below),
                    3,
                    (path, is) -> path.getFileName().toString().equals(name))) {
                files.sorted(Comparator.reverseOrder()).forEach(found::add);
            }
        }
        for (String directory : System.getenv().getOrDefault("PATH", "").split(":")) {
            found.add(Path.of(directory, name));
        }
        Path program = found.stream().filter(Files::isExecutable).findFirst().orElse(null);
        Assumptions.assumeTrue(
                program != null,
                "skipped: " + product + " is not installed (no " + name + " below " + below + " or on the PATH)");
        return program;
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static void removeAll(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove " + directory, e);
        }
    }
}
