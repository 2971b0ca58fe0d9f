import com.google.gson.Gson;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Makes the calls of a plan with grpc-java, and prints one line of JSON: how many answers were wrong. */
public final class Main {
    private static final int EXAMPLES = 50;

    /** What standard input says. */
    static final class Plan {
        String Target, Domain, ID, Secret, Denied;
        List<String> Services, Kinds;
        int Calls, PerChannel, AtOnce;
    }

    private static final class Told {
        final Map<String, Integer> counts = new TreeMap<>();
        int wrong;
        final List<String> examples = new ArrayList<>();

        synchronized void count(String kind, String problem) {
            counts.merge(kind, 1, Integer::sum);
            if (problem.isEmpty()) {
                return;
            }
            wrong++;
            if (examples.size() < EXAMPLES) {
                examples.add(kind + ": " + problem.substring(0, Math.min(300, problem.length())));
            }
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        var gson = new Gson();
        var plan = gson.fromJson(new InputStreamReader(System.in, StandardCharsets.UTF_8), Plan.class);
        var told = new Told();
        for (int first = 0; first < plan.Calls; first += plan.PerChannel) {
            onOneChannel(plan, first, Math.min(first + plan.PerChannel, plan.Calls), told);
        }
        System.out.println(gson.toJson(told));
    }

    private static void onOneChannel(Plan plan, int first, int end, Told told) throws InterruptedException {
        try (var channel = new Channel(plan.Target)) {
            var kinds = new Kinds(channel, plan);
            var next = new AtomicInteger(first);
            var workers = Executors.newFixedThreadPool(plan.AtOnce);
            for (int worker = 0; worker < plan.AtOnce; worker++) {
                workers.execute(() -> {
                    for (int number = next.getAndIncrement(); number < end; number = next.getAndIncrement()) {
                        var kind = plan.Kinds.get(number % plan.Kinds.size());
                        told.count(kind, problem(kinds, kind, number));
                    }
                });
            }
            workers.shutdown();
            workers.awaitTermination(1, TimeUnit.HOURS);
        }
    }

    private static String problem(Kinds kinds, String kind, int number) {
        try {
            return kinds.make(kind, number);
        } catch (RuntimeException error) {
            return error.toString();
        }
    }
}
