/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.connection;

import io.waybill.client.WaybillException;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.RemotingClient;
import io.waybill.remoting.RemotingException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** The connections of one client. Answers with an error code come as failed futures with a {@link BrokerRefusal}; lost connections are reported once more to a listener. */
public final class BrokerConnections implements AutoCloseable {
    private final RemotingClient remoting;
    private final List<String> nameServers;
    private final List<Consumer<String>> lostListeners = new CopyOnWriteArrayList<>();
    private final long callTimeoutMillis;
    private volatile int preferred;

    /** @param callTimeoutMillis the time for a question to a server, unless a call says otherwise */
    public BrokerConnections(RemotingClient remoting, List<String> nameServers, long callTimeoutMillis) {
        this.remoting = remoting;
        this.nameServers = List.copyOf(nameServers);
        this.callTimeoutMillis = callTimeoutMillis;
    }

    /** The name servers, separated by ;. */
    public String nameServers() {
        return String.join(";", nameServers);
    }

    public long callTimeoutMillis() {
        return callTimeoutMillis;
    }

    /** Hears the address of a server whose connection broke or could not be made; on any thread, must be quick. */
    public void onLost(Consumer<String> listener) {
        lostListeners.add(listener);
    }

    /** The answer, whatever its code; fails with a {@link RemotingException} only. */
    public CompletableFuture<Command> call(String address, Command request, long timeoutMillis) {
        CompletableFuture<Command> answer = remoting.call(address, request, timeoutMillis);
        return answer.whenComplete((reply, failure) -> {
            if (failure != null
                    && ClientExceptions.unwrap(failure) instanceof RemotingException e
                    && (e.kind() == RemotingException.CallFailure.CLOSED
                            || e.kind() == RemotingException.CallFailure.CONNECT_FAILED)) {
                lostListeners.forEach(listener -> listener.accept(address));
            }
        });
    }

    /** Like {@link #call(String, Command, long)}, in the ordinary time. */
    public CompletableFuture<Command> call(String address, Command request) {
        return call(address, request, callTimeoutMillis);
    }

    /** The answer if its code is 0, in the ordinary time; fails with a {@link BrokerRefusal} for any other. */
    public CompletableFuture<Command> ask(String address, Command.Builder request) {
        return ask(address, request.build(), callTimeoutMillis);
    }

    /** The answer if its code is 0; fails with a {@link BrokerRefusal} for any other. */
    public CompletableFuture<Command> ask(String address, Command request, long timeoutMillis) {
        return call(address, request, timeoutMillis).thenApply(BrokerConnections::successful);
    }

    public static Command successful(Command reply) {
        if (reply.code() != 0) {
            throw new BrokerRefusal(reply.code(), reply.remark());
        }
        return reply;
    }

    public void oneway(String address, Command request) {
        remoting.oneway(address, request);
    }

    /** Asks one name server after the other until one answers; an answer with an error code is an answer. */
    public CompletableFuture<Command> askNameServer(Command.Builder request) {
        return askNameServer(request.build(), callTimeoutMillis, preferred, nameServers.size());
    }

    private CompletableFuture<Command> askNameServer(Command request, long timeoutMillis, int index, int left) {
        String address = nameServers.get(index % nameServers.size());
        return remoting.call(address, request, timeoutMillis)
                .handle((reply, failure) -> {
                    boolean understood = failure == null && reply.code() != ResponseCode.REQUEST_CODE_NOT_SUPPORTED;
                    if (understood) {
                        preferred = index % nameServers.size();
                        return CompletableFuture.completedFuture(reply);
                    }
                    return left > 1
                            ? askNameServer(request, timeoutMillis, index + 1, left - 1)
                            : CompletableFuture.<Command>failedFuture(
                                    failure == null ? noNameServer(address) : ClientExceptions.unwrap(failure));
                })
                .thenCompose(step -> step)
                .thenApply(BrokerConnections::successful);
    }

    private static WaybillException noNameServer(String address) {
        return new WaybillException(
                WaybillException.Kind.UNREACHABLE,
                ResponseCode.REQUEST_CODE_NOT_SUPPORTED,
                false,
                "what answers at " + address + " is no name server",
                "give the address of the name server (port 9876 by default); this may be the one of a broker",
                null);
    }

    @Override
    public void close() {
        remoting.close();
    }
}
