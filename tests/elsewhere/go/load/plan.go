// Package load makes the calls of a plan with one library for gRPC, and tells how many answers were wrong.
package load

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Plan is what standard input says.
type Plan struct {
	Target, Domain, ID, Secret string
	Denied                     string   // the text of every denial
	Services                   []string // what reflection lists
	Kinds                      []string // of the calls, in order; repeated as often as it takes
	Calls, PerChannel, AtOnce  int
}

// Call says to which method, and how.
type Call struct {
	Method  string
	Headers map[string]string
	Gzip    bool
}

// Channel is a connection by one library. Its errors are those of that library.
type Channel interface {
	Unary(ctx context.Context, call Call, request, answer proto.Message) error
	// Stream begins a call of many messages and sends the first one; nil sends none and leaves the call open.
	Stream(ctx context.Context, call Call, request proto.Message) (Stream, error)
	Close()
}

// Stream is what comes back.
type Stream interface {
	Receive(answer proto.Message) error
}

// Library is a library for gRPC.
type Library struct {
	Open func(target string) Channel
	// Status is the code and the text of an error.
	Status func(error) (codes.Code, string)
}

type told struct {
	Counts   map[string]int `json:"counts"`
	Wrong    int            `json:"wrong"`
	Examples []string       `json:"examples"`
}

const examples = 50

// Run makes all calls and prints one line of JSON.
func Run(library Library) {
	var plan Plan
	if err := json.NewDecoder(os.Stdin).Decode(&plan); err != nil {
		panic(err)
	}
	found := told{Counts: map[string]int{}, Examples: []string{}}
	for first := 0; first < plan.Calls; first += plan.PerChannel {
		channel := library.Open(plan.Target)
		onOneChannel(plan, first, caller{library, channel, plan}, &found)
		channel.Close()
	}
	json.NewEncoder(os.Stdout).Encode(found)
}

func onOneChannel(plan Plan, first int, caller caller, found *told) {
	numbers := make(chan int)
	var workers sync.WaitGroup
	var lock sync.Mutex
	for range plan.AtOnce {
		workers.Go(func() {
			for number := range numbers {
				kind := plan.Kinds[number%len(plan.Kinds)]
				err := caller.make(kind, number)
				lock.Lock()
				found.count(kind, err)
				lock.Unlock()
			}
		})
	}
	for number := first; number < min(first+plan.PerChannel, plan.Calls); number++ {
		numbers <- number
	}
	close(numbers)
	workers.Wait()
}

func (found *told) count(kind string, err error) {
	found.Counts[kind]++
	if err == nil {
		return
	}
	found.Wrong++
	if len(found.Examples) < examples {
		found.Examples = append(found.Examples, fmt.Sprintf("%s: %.300s", kind, err))
	}
}
