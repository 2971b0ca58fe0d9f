// Command connectgo makes the calls of a plan with connect-go, over HTTP/2 of Go's own library.
package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"elsewhere/load"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

type channel struct {
	transport *http.Transport
	target    string
}

func main() {
	load.Run(load.Library{Open: open, Status: statusOf})
}

func open(target string) load.Channel {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return channel{transport, target}
}

func statusOf(err error) (codes.Code, string) {
	if err == nil {
		return codes.OK, ""
	}
	if told := new(connect.Error); errors.As(err, &told) {
		return codes.Code(told.Code()), told.Message()
	}
	return codes.Unknown, err.Error()
}

func (c channel) Unary(ctx context.Context, call load.Call, request, answer proto.Message) error {
	content, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	prepared := connect.NewRequest(&content)
	for name, value := range call.Headers {
		prepared.Header().Set(name, encoded(name, value))
	}
	found, err := c.client(call).CallUnary(ctx, prepared)
	if err != nil {
		return err
	}
	return proto.Unmarshal(*found.Msg, answer)
}

func (c channel) Stream(ctx context.Context, call load.Call, request proto.Message) (load.Stream, error) {
	begun := c.client(call).CallBidiStream(ctx)
	if request == nil {
		return stream{begun}, begun.Send(nil) // headers only
	}
	content, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	if err := begun.Send(&content); err != nil {
		return nil, err
	}
	return stream{begun}, begun.CloseRequest()
}

func (c channel) Close() { c.transport.CloseIdleConnections() }

func (c channel) client(call load.Call) *connect.Client[[]byte, []byte] {
	options := []connect.ClientOption{connect.WithGRPC(), connect.WithCodec(bytes{})}
	if call.Gzip {
		options = append(options, connect.WithSendGzip())
	}
	return connect.NewClient[[]byte, []byte](&http.Client{Transport: c.transport}, "http://"+c.target+call.Method, options...)
}

func encoded(name, value string) string {
	if strings.HasSuffix(name, "-bin") {
		return connect.EncodeBinaryHeader([]byte(value))
	}
	return value
}

type stream struct {
	*connect.BidiStreamForClient[[]byte, []byte]
}

func (s stream) Receive(answer proto.Message) error {
	content, err := s.BidiStreamForClient.Receive()
	if err != nil {
		return err
	}
	return proto.Unmarshal(*content, answer)
}

// bytes is the codec of messages that are encoded already.
type bytes struct{}

func (bytes) Name() string { return "proto" }

func (bytes) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }

func (bytes) Unmarshal(content []byte, message any) error {
	*message.(*[]byte) = append([]byte(nil), content...)
	return nil
}
