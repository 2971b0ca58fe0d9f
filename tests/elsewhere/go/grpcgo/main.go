// Command grpcgo makes the calls of a plan with grpc-go.
package main

import (
	"context"

	"elsewhere/load"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

type channel struct{ *grpc.ClientConn }

type stream struct{ grpc.ClientStream }

func main() {
	load.Run(load.Library{Open: open, Status: statusOf})
}

func open(target string) load.Channel {
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	return channel{connection}
}

func statusOf(err error) (codes.Code, string) {
	return status.Code(err), status.Convert(err).Message()
}

func (c channel) Unary(ctx context.Context, call load.Call, request, answer proto.Message) error {
	ctx, options := prepared(ctx, call)
	return c.Invoke(ctx, call.Method, request, answer, options...)
}

func (c channel) Stream(ctx context.Context, call load.Call, request proto.Message) (load.Stream, error) {
	ctx, options := prepared(ctx, call)
	both := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	begun, err := c.NewStream(ctx, both, call.Method, options...)
	if err != nil || request == nil {
		return stream{begun}, err
	}
	if err := begun.SendMsg(request); err != nil {
		return nil, err
	}
	return stream{begun}, begun.CloseSend()
}

func (c channel) Close() { c.ClientConn.Close() }

func (s stream) Receive(answer proto.Message) error { return s.RecvMsg(answer) }

func prepared(ctx context.Context, call load.Call) (context.Context, []grpc.CallOption) {
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(call.Headers))
	if call.Gzip {
		return ctx, []grpc.CallOption{grpc.UseCompressor(gzip.Name)}
	}
	return ctx, nil
}
