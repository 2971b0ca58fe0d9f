import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Deadline;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** A connection by grpc-java. Each call ends with its status and the answers that came. */
final class Channel implements AutoCloseable {
    static final int PATIENCE = 60_000; // milliseconds; a call that takes it has failed

    private static final ScheduledExecutorService TIMER = Executors.newSingleThreadScheduledExecutor(task -> {
        var thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    });

    private final ManagedChannel channel;

    record Ended<T>(Status status, List<T> answers) {}

    /** How a call is made: times are in milliseconds, a negative one is none. */
    record How(Metadata headers, boolean gzip, boolean silent, int deadline, int cancelAfter, boolean cancelOnAnswer) {
        static final How USUAL = new How(new Metadata(), false, false, PATIENCE, -1, false);

        How withHeaders(Metadata headers) {
            return new How(headers, gzip, silent, deadline, cancelAfter, cancelOnAnswer);
        }

        How compressed() {
            return new How(headers, true, silent, deadline, cancelAfter, cancelOnAnswer);
        }

        /** No message is sent, and the call stays open. */
        How withoutMessage() {
            return new How(headers, gzip, true, deadline, cancelAfter, cancelOnAnswer);
        }

        How within(int deadline) {
            return new How(headers, gzip, silent, deadline, cancelAfter, cancelOnAnswer);
        }

        How cancelledAfter(int milliseconds) {
            return new How(headers, gzip, silent, deadline, milliseconds, cancelOnAnswer);
        }

        How cancelledOnAnswer() {
            return new How(headers, gzip, silent, deadline, cancelAfter, true);
        }
    }

    Channel(String target) {
        channel = NettyChannelBuilder.forTarget(target, InsecureChannelCredentials.create()).build();
    }

    <Q, A> Ended<A> call(MethodDescriptor<Q, A> method, Q request, How how) {
        var options = CallOptions.DEFAULT.withDeadline(Deadline.after(how.deadline, TimeUnit.MILLISECONDS));
        var call = channel.newCall(method, how.gzip ? options.withCompression("gzip") : options);
        var ended = new CompletableFuture<Ended<A>>();
        var headers = new Metadata(); // the call adds to it
        headers.merge(how.headers);
        call.start(new Listener<>(call, how, ended), headers);
        call.request(2);
        if (how.cancelAfter >= 0) {
            TIMER.schedule(() -> call.cancel("not needed", null), how.cancelAfter, TimeUnit.MILLISECONDS);
        }
        if (!how.silent) {
            send(call, request);
        }
        return ended.join();
    }

    private static <Q> void send(ClientCall<Q, ?> call, Q request) {
        try {
            call.sendMessage(request);
            call.halfClose();
        } catch (IllegalStateException error) { // cancelled by the timer
        }
    }

    @Override
    public void close() {
        channel.shutdown();
    }

    private static final class Listener<A> extends ClientCall.Listener<A> {
        private final ClientCall<?, A> call;
        private final How how;
        private final CompletableFuture<Ended<A>> ended;
        private final List<A> answers = new CopyOnWriteArrayList<>();

        Listener(ClientCall<?, A> call, How how, CompletableFuture<Ended<A>> ended) {
            this.call = call;
            this.how = how;
            this.ended = ended;
        }

        @Override
        public void onMessage(A answer) {
            answers.add(answer);
            if (how.cancelOnAnswer) {
                call.cancel("not needed", null);
            }
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            ended.complete(new Ended<>(status, answers));
        }
    }
}
