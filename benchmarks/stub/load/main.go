// Command load keeps so many unary gRPC calls in flight for so long, and tells what they took, as JSON.
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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	clockTicks = 100 // of /proc/PID/stat per second, on every Linux there is today
	answerMost = 64 << 10
)

var (
	target   = flag.String("target", "", "host:port of the server")
	method   = flag.String("method", "/execsvc.v1.OrderService/PlaceOrder", "full name of the method")
	request  = flag.String("request", "", "file with one serialized request")
	mark     = flag.String("mark", "", "the text in it that every call replaces by an id of the same length")
	expect   = flag.String("expect", "OBENCH-", "text that a good answer contains")
	run      = flag.Int("run", 0, "number of this run, part of the ids")
	inFlight = flag.Int("in-flight", 1, "calls at once")
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
	warmed := caller.keep(*inFlight, *warm)
	before, own, err := cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	took := caller.keep(*inFlight, *long)
	seconds := time.Since(began).Seconds()
	after, ownAfter, err := cpu()
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

func (c *caller) call(ctx context.Context) error {
	message := make([]byte, 5+len(c.template))
	binary.BigEndian.PutUint32(message[1:], uint32(len(c.template)))
	copy(message[5:], c.template)
	copy(message[5+c.at:], fmt.Sprintf("%s%0*d", c.prefix, len(*mark)-len(c.prefix), c.number.Add(1)))
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

// cpu gives the seconds of user and system time of the server's process, and of this one.
func cpu() (server, own float64, err error) {
	if server, err = cpuOf(strconv.Itoa(*pid)); err != nil {
		return 0, 0, err
	}
	own, err = cpuOf("self")
	return server, own, err
}

func cpuOf(process string) (float64, error) {
	text, err := os.ReadFile("/proc/" + process + "/stat")
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; utime and stime are the 12th and 13th words after it.
	_, after, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')'):]), " ")
	words := strings.Fields(after)
	if len(words) < 13 {
		return 0, fmt.Errorf("/proc/%s/stat is not as expected", process)
	}
	user, err := strconv.Atoi(words[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(words[12])
	return float64(user+system) / clockTicks, err
}
