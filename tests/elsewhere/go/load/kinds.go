package load

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"elsewhere/pb/clients"
	"elsewhere/pb/common"

	"google.golang.org/grpc/codes"
	health "google.golang.org/grpc/health/grpc_health_v1"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
)

const (
	authenticate = "/clients.v1.ClientsService/Authenticate"
	entity       = "/clients.v1.ClientsService/RetrieveEntity"
	entities     = "/clients.v1.ClientsService/RetrieveEntities"
	check        = "/grpc.health.v1.Health/Check"
	watch        = "/grpc.health.v1.Health/Watch"
	reflect      = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

	patience = time.Minute           // a call that takes it has failed
	soon     = 50 * time.Millisecond // ends a call that nothing else ends
	tooSoon  = time.Millisecond      // ends a call, or comes too late for that
	many     = 10_000                // ids of one call
	limit    = 4 * 1024 * 1024       // bytes of a message
)

type caller struct {
	Library
	channel Channel
	plan    Plan
}

// make makes one call; an error says what was wrong with its answer.
func (c caller) make(kind string, number int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch kind {
	case "right":
		return c.admitted(c.authenticate(ctx, "Basic", c.plan.ID, c.plan.Secret))
	case "domain":
		return c.admitted(c.authenticate(ctx, "Domain", c.plan.Domain, c.plan.Secret))
	case "wrong":
		_, err := c.authenticate(ctx, "Basic", c.plan.ID, fmt.Sprintf("%08x-0000-4000-8000-000000000000", number))
		return c.expectText(err, codes.PermissionDenied, c.plan.Denied)
	case "entity":
		return c.entity(ctx, number)
	case "nobody":
		err := c.channel.Unary(ctx, Call{Method: entity}, &common.RetrieveEntityReq{Id: "nobody"}, &common.RetrieveEntityRes{})
		return c.expect(err, codes.NotFound)
	case "gzip":
		return c.entities(ctx, Call{Method: entities, Gzip: true}, 100, codes.OK)
	case "large":
		return c.entities(ctx, Call{Method: entities}, many, codes.OK)
	case "large gzip":
		return c.entities(ctx, Call{Method: entities, Gzip: true}, many, codes.OK)
	case "too large":
		request := &common.RetrieveEntityReq{Id: strings.Repeat("x", limit)}
		return c.expect(c.channel.Unary(ctx, Call{Method: entity}, request, &common.RetrieveEntityRes{}), codes.ResourceExhausted)
	case "racing deadline":
		ctx, cancel := context.WithTimeout(ctx, tooSoon)
		defer cancel()
		_, err := c.authenticate(ctx, "Basic", c.plan.ID, c.plan.Secret)
		return c.expect(err, codes.OK, codes.DeadlineExceeded)
	case "racing cancel":
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Duration(number%8)*soon/8, cancel)
		return c.entities(ctx, Call{Method: entities}, many, codes.OK, codes.Canceled)
	case "silent deadline":
		ctx, cancel := context.WithTimeout(ctx, soon)
		defer cancel()
		return c.silent(ctx, codes.DeadlineExceeded)
	case "silent cancel":
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(soon, cancel)
		return c.silent(ctx, codes.Canceled)
	case "check":
		return c.check(ctx)
	case "check nobody":
		err := c.channel.Unary(ctx, Call{Method: check}, &health.HealthCheckRequest{Service: "nobody"}, &health.HealthCheckResponse{})
		return c.expect(err, codes.NotFound)
	case "watch deadline":
		ctx, cancel := context.WithTimeout(ctx, 4*soon)
		defer cancel()
		return c.watch(ctx, func() {}, codes.DeadlineExceeded)
	case "watch cancel":
		ctx, cancel := context.WithCancel(ctx)
		return c.watch(ctx, cancel, codes.Canceled)
	case "reflection":
		return c.reflection(ctx)
	case "unimplemented":
		err := c.channel.Unary(ctx, Call{Method: "/clients.v1.ClientsService/Nope"}, &clients.AuthnReq{}, &clients.AuthnRes{})
		return c.expect(err, codes.Unimplemented)
	}
	return fmt.Errorf("no such kind")
}

func (c caller) expect(err error, wanted ...codes.Code) error {
	if code, text := c.Status(err); !slices.Contains(wanted, code) {
		return fmt.Errorf("%v (%s), not %v", code, text, wanted)
	}
	return nil
}

func (c caller) expectText(err error, wanted codes.Code, text string) error {
	if _, found := c.Status(err); found != text {
		return fmt.Errorf("text %q", found)
	}
	return c.expect(err, wanted)
}

func (c caller) authenticate(ctx context.Context, form, who, secret string) (*clients.AuthnRes, error) {
	answer := &clients.AuthnRes{}
	token := form + base64.StdEncoding.EncodeToString([]byte(who+":"+secret))
	return answer, c.channel.Unary(ctx, Call{Method: authenticate}, &clients.AuthnReq{Token: token}, answer)
}

func (c caller) admitted(answer *clients.AuthnRes, err error) error {
	if err == nil && (!answer.Authenticated || answer.Id != c.plan.ID) {
		return fmt.Errorf("answer %v", answer)
	}
	return c.expect(err, codes.OK)
}

// entity sends metadata of all kinds, some of it longer than a frame.
func (c caller) entity(ctx context.Context, number int) error {
	bytes := make([]byte, 256)
	for value := range bytes {
		bytes[value] = byte(value + number)
	}
	headers := map[string]string{"x-number": strconv.Itoa(number), "x-bytes-bin": string(bytes)}
	if number%4 == 0 {
		headers["x-long"] = strings.Repeat("long ", 4000) + "."
	}
	answer := &common.RetrieveEntityRes{}
	err := c.channel.Unary(ctx, Call{Method: entity, Headers: headers}, &common.RetrieveEntityReq{Id: c.plan.ID}, answer)
	if err == nil && (answer.Entity.GetId() != c.plan.ID || answer.Entity.GetDomainId() != c.plan.Domain) {
		return fmt.Errorf("answer %v", answer)
	}
	return c.expect(err, codes.OK)
}

// entities asks for one client among others of 300 bytes each that do not exist.
func (c caller) entities(ctx context.Context, call Call, count int, wanted ...codes.Code) error {
	ids := make([]string, count)
	for number := range ids {
		ids[number] = fmt.Sprintf("%0300d", number)
	}
	ids[count/2] = c.plan.ID
	answer := &common.RetrieveEntitiesRes{}
	err := c.channel.Unary(ctx, call, &common.RetrieveEntitiesReq{Ids: ids}, answer)
	if err == nil && (answer.Total != 1 || len(answer.Entities) != 1 || answer.Entities[0].Id != c.plan.ID) {
		return fmt.Errorf("answer %v", answer)
	}
	return c.expect(err, wanted...)
}

// silent never sends the message that the server waits for.
func (c caller) silent(ctx context.Context, wanted codes.Code) error {
	stream, err := c.channel.Stream(ctx, Call{Method: authenticate}, nil)
	if err == nil {
		err = stream.Receive(&clients.AuthnRes{})
	}
	return c.expect(err, wanted)
}

func (c caller) check(ctx context.Context) error {
	answer := &health.HealthCheckResponse{}
	err := c.channel.Unary(ctx, Call{Method: check}, &health.HealthCheckRequest{}, answer)
	if err == nil && answer.Status != health.HealthCheckResponse_SERVING {
		return fmt.Errorf("answer %v", answer)
	}
	return c.expect(err, codes.OK)
}

func (c caller) watch(ctx context.Context, then func(), wanted codes.Code) error {
	answer := &health.HealthCheckResponse{}
	stream, err := c.stream(ctx, watch, &health.HealthCheckRequest{}, answer)
	if err != nil && wanted == codes.DeadlineExceeded { // before the first answer
		return c.expect(err, wanted)
	}
	if err != nil || answer.Status != health.HealthCheckResponse_SERVING {
		return fmt.Errorf("answer %v, error %v", answer, err)
	}
	then()
	return c.expect(stream.Receive(answer), wanted)
}

func (c caller) reflection(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := &reflection.ServerReflectionRequest{
		MessageRequest: &reflection.ServerReflectionRequest_ListServices{},
	}
	answer := &reflection.ServerReflectionResponse{}
	if _, err := c.stream(ctx, reflect, request, answer); err != nil {
		return err
	}
	found := []string{}
	for _, service := range answer.GetListServicesResponse().GetService() {
		found = append(found, service.Name)
	}
	if slices.Sort(found); !slices.Equal(found, c.plan.Services) {
		return fmt.Errorf("services %v", found)
	}
	return nil
}

// stream begins a stream and receives its first answer.
func (c caller) stream(ctx context.Context, method string, request, answer proto.Message) (Stream, error) {
	stream, err := c.channel.Stream(ctx, Call{Method: method}, request)
	if err != nil {
		return nil, err
	}
	return stream, stream.Receive(answer)
}
