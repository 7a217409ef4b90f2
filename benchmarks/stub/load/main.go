// Command load keeps so many orders in flight for so long, as unary gRPC calls or in one OrderSession, and tells what they
// took, as JSON.
//
// It speaks gRPC over the standard library's HTTP/2 and keeps the request as bytes, of which only the id changes from call
// to call: a generator that costs less than the server it measures. A call counts only with grpc-status 0 and an exchange's
// order id in the answer; "in doubt" is an answer too, but no placed order.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/execsvc/execsvc/benchmarks/stub/proc"
)

const answerMost = 64 << 10

var (
	target   = flag.String("target", "", "host:port of the server")
	method   = flag.String("method", "/execsvc.v1.OrderService/PlaceOrder", "full name of the method")
	request  = flag.String("request", "", "file with one serialized request")
	mark     = flag.String("mark", "", "the text in it that every call replaces by an id of the same length")
	expect   = flag.String("expect", "OBENCH-", "text that a good answer contains")
	run      = flag.Int("run", 0, "number of this run, part of the ids")
	inFlight = flag.Int("in-flight", 1, "calls at once")
	together = flag.Bool("session", false, "as requests of one OrderSession")
	warm     = flag.Duration("warm", 200*time.Millisecond, "before anything is measured")
	long     = flag.Duration("for", time.Second, "how long new calls are begun")
	pid      = flag.Int("pid", 0, "the server's process, whose CPU time is read")
)

type outcome struct {
	Calls     int      `json:"calls"`
	Failed    int      `json:"failed"`
	Why       []string `json:"why,omitempty"`
	Seconds   float64  `json:"seconds"`
	ServerCPU float64  `json:"server_cpu_s"`
	OwnCPU    float64  `json:"own_cpu_s"`
	P50       float64  `json:"p50_ms"`
	P99       float64  `json:"p99_ms"`
	Warmed    int      `json:"warmed"`
}

func main() {
	flag.Parse()
	if err := measure(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure() error {
	template, err := os.ReadFile(*request)
	if err != nil {
		return err
	}
	if *mark == "" || bytes.Count(template, []byte(*mark)) != 1 {
		return errors.New("the mark must stand in the request exactly once")
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	caller := &caller{
		template:  template,
		at:        bytes.Index(template, []byte(*mark)),
		prefix:    fmt.Sprintf("b%d-", *run),
		transport: &http.Transport{Protocols: protocols},
	}
	keep := caller.keep
	if *together {
		keep = caller.keepSession
	}
	warmed := keep(*inFlight, *warm)
	before, own, err := proc.CPU(*pid)
	if err != nil {
		return err
	}
	began := time.Now()
	took := keep(*inFlight, *long)
	seconds := time.Since(began).Seconds()
	after, ownAfter, err := proc.CPU(*pid)
	if err != nil {
		return err
	}
	if len(took) == 0 || len(warmed) == 0 {
		return fmt.Errorf("no call went well: %v", caller.why)
	}
	slices.Sort(took)
	at := func(share float64) float64 { return took[int(share*float64(len(took)-1))].Seconds() * 1e3 }
	return json.NewEncoder(os.Stdout).Encode(outcome{
		len(took), caller.failed, caller.why, seconds, after - before, ownAfter - own, at(0.5), at(0.99), len(warmed),
	})
}

type caller struct {
	template  []byte
	at        int    // where in it the id stands
	prefix    string // of every id of this run
	transport *http.Transport
	number    atomic.Int64
	mu        sync.Mutex
	failed    int
	why       []string // the first few reasons, each once
}

// keep begins calls for so long, waits for the last one and gives the time that each good one took.
func (c *caller) keep(inFlight int, long time.Duration) []time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), long+20*time.Second)
	defer cancel()
	until := time.Now().Add(long)
	each := make([][]time.Duration, inFlight)
	var workers sync.WaitGroup
	for worker := range inFlight {
		workers.Go(func() {
			for began := time.Now(); began.Before(until); {
				err := c.call(ctx)
				ended := time.Now()
				if err == nil {
					each[worker] = append(each[worker], ended.Sub(began))
				} else if !c.noted(err) {
					return
				}
				began = ended
			}
		})
	}
	workers.Wait()
	return slices.Concat(each...)
}

// noted counts a failure; false when there were so many that going on tells nothing.
func (c *caller) noted(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed++
	if text := err.Error(); len(c.why) < 3 && !slices.Contains(c.why, text) {
		c.why = append(c.why, text)
	}
	return c.failed < 1000
}

// order is the next request, with an id of its own.
func (c *caller) order() []byte {
	order := bytes.Clone(c.template)
	copy(order[c.at:], fmt.Sprintf("%s%0*d", c.prefix, len(*mark)-len(c.prefix), c.number.Add(1)))
	return order
}

// framed is a message as gRPC sends it.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

func (c *caller) call(ctx context.Context) error {
	message := framed(c.order())
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+*target+*method, bytes.NewReader(message))
	if err != nil {
		return err
	}
	post.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "Grpc-Timeout": {"10S"}}
	response, err := c.transport.RoundTrip(post)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerMost))
	if err != nil {
		return err
	}
	status, words := response.Trailer.Get("Grpc-Status"), response.Trailer.Get("Grpc-Message")
	if status == "" { // a failure before any message has its trailers in the headers
		status, words = response.Header.Get("Grpc-Status"), response.Header.Get("Grpc-Message")
	}
	if status != "0" {
		return fmt.Errorf("grpc-status %s: %s", status, words)
	}
	if !bytes.Contains(body, []byte(*expect)) {
		return errors.New("the answer names no order at the exchange")
	}
	return nil
}
