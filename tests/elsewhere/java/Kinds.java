import static io.grpc.Status.Code.CANCELLED;
import static io.grpc.Status.Code.DEADLINE_EXCEEDED;
import static io.grpc.Status.Code.NOT_FOUND;
import static io.grpc.Status.Code.OK;
import static io.grpc.Status.Code.PERMISSION_DENIED;
import static io.grpc.Status.Code.RESOURCE_EXHAUSTED;
import static io.grpc.Status.Code.UNIMPLEMENTED;

import clients.v1.Clients.AuthnReq;
import clients.v1.Clients.AuthnRes;
import com.google.protobuf.Message;
import common.v1.Common.RetrieveEntitiesReq;
import common.v1.Common.RetrieveEntitiesRes;
import common.v1.Common.RetrieveEntityReq;
import common.v1.Common.RetrieveEntityRes;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServiceResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** The kinds of calls. Each returns what was wrong with its answer; "" if it was right. */
final class Kinds {
    private static final int SOON = 50; // milliseconds; ends a call that nothing else ends
    private static final int TOO_SOON = 1; // ends a call, or comes too late for that
    private static final int MANY = 10_000; // ids of one call
    private static final int LIMIT = 4 * 1024 * 1024; // bytes of a message

    private static final MethodDescriptor<AuthnReq, AuthnRes> AUTHENTICATE =
            method("Authenticate", AuthnReq.getDefaultInstance(), AuthnRes.getDefaultInstance());
    private static final MethodDescriptor<AuthnReq, AuthnRes> NOPE =
            method("Nope", AuthnReq.getDefaultInstance(), AuthnRes.getDefaultInstance());
    private static final MethodDescriptor<RetrieveEntityReq, RetrieveEntityRes> ENTITY =
            method("RetrieveEntity", RetrieveEntityReq.getDefaultInstance(), RetrieveEntityRes.getDefaultInstance());
    private static final MethodDescriptor<RetrieveEntitiesReq, RetrieveEntitiesRes> ENTITIES =
            method("RetrieveEntities", RetrieveEntitiesReq.getDefaultInstance(), RetrieveEntitiesRes.getDefaultInstance());

    private static final HealthCheckRequest WHOLE = HealthCheckRequest.getDefaultInstance();
    private static final Channel.How USUAL = Channel.How.USUAL;

    private final Channel channel;
    private final Main.Plan plan;

    Kinds(Channel channel, Main.Plan plan) {
        this.channel = channel;
        this.plan = plan;
    }

    String make(String kind, int number) {
        return switch (kind) {
            case "right" -> admitted("Basic", plan.ID, USUAL, OK);
            case "domain" -> admitted("Domain", plan.Domain, USUAL, OK);
            case "wrong" -> denied(number);
            case "entity" -> entity(number);
            case "nobody" -> expect(channel.call(ENTITY, RetrieveEntityReq.newBuilder().setId("nobody").build(), USUAL), NOT_FOUND);
            case "gzip" -> entities(100, USUAL.compressed(), OK);
            case "large" -> entities(MANY, USUAL, OK);
            case "large gzip" -> entities(MANY, USUAL.compressed(), OK);
            case "too large" -> expect(
                    channel.call(ENTITY, RetrieveEntityReq.newBuilder().setId("x".repeat(LIMIT)).build(), USUAL), RESOURCE_EXHAUSTED);
            case "racing deadline" -> admitted("Basic", plan.ID, USUAL.within(TOO_SOON), OK, DEADLINE_EXCEEDED);
            case "racing cancel" -> entities(MANY, USUAL.cancelledAfter(number % 8 * SOON / 8), OK, CANCELLED);
            case "silent deadline" -> expect(channel.call(AUTHENTICATE, null, USUAL.withoutMessage().within(SOON)), DEADLINE_EXCEEDED);
            case "silent cancel" -> expect(channel.call(AUTHENTICATE, null, USUAL.withoutMessage().cancelledAfter(SOON)), CANCELLED);
            case "check" -> serving(channel.call(HealthGrpc.getCheckMethod(), WHOLE, USUAL), OK);
            case "check nobody" -> expect(
                    channel.call(HealthGrpc.getCheckMethod(), WHOLE.toBuilder().setService("nobody").build(), USUAL), NOT_FOUND);
            case "watch deadline" -> watchedUntilDeadline();
            case "watch cancel" -> serving(channel.call(HealthGrpc.getWatchMethod(), WHOLE, USUAL.cancelledOnAnswer()), CANCELLED);
            case "reflection" -> reflection();
            case "unimplemented" -> expect(channel.call(NOPE, AuthnReq.getDefaultInstance(), USUAL), UNIMPLEMENTED);
            default -> "no such kind";
        };
    }

    private static <Q extends Message, A extends Message> MethodDescriptor<Q, A> method(String name, Q request, A answer) {
        return MethodDescriptor.<Q, A>newBuilder()
                .setType(MethodDescriptor.MethodType.UNARY)
                .setFullMethodName("clients.v1.ClientsService/" + name)
                .setRequestMarshaller(ProtoUtils.marshaller(request))
                .setResponseMarshaller(ProtoUtils.marshaller(answer))
                .build();
    }

    private static String expect(Channel.Ended<?> ended, Status.Code... codes) {
        return List.of(codes).contains(ended.status().getCode()) ? "" : ended.status() + ", not " + List.of(codes);
    }

    private static AuthnReq token(String form, String who, String secret) {
        var pair = (who + ":" + secret).getBytes(StandardCharsets.UTF_8);
        return AuthnReq.newBuilder().setToken(form + Base64.getEncoder().encodeToString(pair)).build();
    }

    private String admitted(String form, String who, Channel.How how, Status.Code... codes) {
        var ended = channel.call(AUTHENTICATE, token(form, who, plan.Secret), how);
        var right = AuthnRes.newBuilder().setAuthenticated(true).setId(plan.ID).build();
        if (ended.status().isOk() && !ended.answers().equals(List.of(right))) {
            return "answers " + ended.answers();
        }
        return expect(ended, codes);
    }

    private String denied(int number) {
        var secret = String.format("%08x-0000-4000-8000-000000000000", number);
        var ended = channel.call(AUTHENTICATE, token("Basic", plan.ID, secret), USUAL);
        if (!plan.Denied.equals(ended.status().getDescription())) {
            return "text " + ended.status().getDescription();
        }
        return expect(ended, PERMISSION_DENIED);
    }

    /** Sends metadata of all kinds, some of it longer than a frame. */
    private String entity(int number) {
        var bytes = new byte[256];
        for (int value = 0; value < bytes.length; value++) {
            bytes[value] = (byte) (value + number);
        }
        var headers = new Metadata();
        headers.put(Metadata.Key.of("x-number", Metadata.ASCII_STRING_MARSHALLER), String.valueOf(number));
        headers.put(Metadata.Key.of("x-bytes-bin", Metadata.BINARY_BYTE_MARSHALLER), bytes);
        if (number % 4 == 0) {
            headers.put(Metadata.Key.of("x-long", Metadata.ASCII_STRING_MARSHALLER), "long ".repeat(4000) + ".");
        }
        var ended = channel.call(ENTITY, RetrieveEntityReq.newBuilder().setId(plan.ID).build(), USUAL.withHeaders(headers));
        if (ended.status().isOk()) {
            var found = ended.answers().get(0).getEntity();
            if (!found.getId().equals(plan.ID) || !found.getDomainId().equals(plan.Domain)) {
                return "answer " + found;
            }
        }
        return expect(ended, OK);
    }

    /** Asks for one client among others of 300 bytes each that do not exist. */
    private String entities(int count, Channel.How how, Status.Code... codes) {
        var ids = new ArrayList<String>();
        for (int number = 0; number < count; number++) {
            ids.add(number == count / 2 ? plan.ID : String.format("%0300d", number));
        }
        var ended = channel.call(ENTITIES, RetrieveEntitiesReq.newBuilder().addAllIds(ids).build(), how);
        if (ended.status().isOk()) {
            var answer = ended.answers().get(0);
            if (answer.getTotal() != 1 || answer.getEntitiesCount() != 1 || !answer.getEntities(0).getId().equals(plan.ID)) {
                return "answer " + answer;
            }
        }
        return expect(ended, codes);
    }

    private static String serving(Channel.Ended<HealthCheckResponse> ended, Status.Code code) {
        if (ended.answers().isEmpty() || ended.answers().get(0).getStatus() != HealthCheckResponse.ServingStatus.SERVING) {
            return "answers " + ended.answers() + ", " + ended.status();
        }
        return expect(ended, code);
    }

    private String watchedUntilDeadline() {
        var ended = channel.call(HealthGrpc.getWatchMethod(), WHOLE, USUAL.within(4 * SOON));
        return ended.answers().isEmpty() ? expect(ended, DEADLINE_EXCEEDED) : serving(ended, DEADLINE_EXCEEDED);
    }

    private String reflection() {
        var request = ServerReflectionRequest.newBuilder().setListServices("").build();
        var ended = channel.call(ServerReflectionGrpc.getServerReflectionInfoMethod(), request, USUAL);
        if (!ended.status().isOk()) {
            return ended.status().toString();
        }
        var services = ended.answers().get(0).getListServicesResponse().getServiceList();
        var found = services.stream().map(ServiceResponse::getName).sorted().toList();
        return found.equals(plan.Services) ? "" : "services " + found;
    }
}
