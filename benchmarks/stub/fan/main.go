// Command fan reads one stream of tickers many times over, and tells what came of it, as JSON.
//
// It speaks gRPC over the standard library's HTTP/2 and looks at the few fields it needs: how many tickers a message holds,
// how many were folded into it, and the exchange's time of the newest. It costs less than the server it measures.
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
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/execsvc/execsvc/benchmarks/stub/proc"
)

const (
	messageMost = 1 << 20
	openMost    = 30 * time.Second // until every stream has its first message
)

var (
	target      = flag.String("target", "", "host:port of the server")
	method      = flag.String("method", "/execsvc.v1.MarketDataService/SubscribeTickers", "full name of the method")
	request     = flag.String("request", "", "file with the serialized request")
	subscribers = flag.Int("subscribers", 1000, "streams")
	connections = flag.Int("connections", 10, "over which they are spread")
	warm        = flag.Duration("warm", 2*time.Second, "after all are open, before anything is measured")
	long        = flag.Duration("for", 5*time.Second, "how long is measured")
	begin       = flag.String("begin", "", "posted to once all are open: only then the exchange has news")
	pid         = flag.Int("pid", 0, "the server's process, whose CPU time is read")
)

// outcome is of the measured stretch; Last is from the exchange's time of a tick to the reader that had it, or a newer
// one, last of all.
type outcome struct {
	Messages  int       `json:"messages"`
	Ticks     int       `json:"ticks"`
	Folded    int       `json:"folded"`
	Silent    int       `json:"silent"`
	Seconds   float64   `json:"seconds"`
	ServerCPU float64   `json:"server_cpu_s"`
	OwnCPU    float64   `json:"own_cpu_s"`
	Last      []float64 `json:"last_ms"`
}

// arrival is one message with news: when it came, and how new its newest tick is.
type arrival struct{ at, venue int64 }

type reader struct {
	messages, ticks, folded int
	news                    []arrival
}

func main() {
	flag.Parse()
	if err := measure(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure() error {
	asked, err := os.ReadFile(*request)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	readers := make([]reader, *subscribers)
	var open, running sync.WaitGroup
	var counts atomic.Bool // while messages count
	transports := make([]*http.Transport, *connections)
	for each := range transports {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		transports[each] = &http.Transport{Protocols: protocols}
	}
	for each := range readers {
		open.Add(1)
		running.Go(func() {
			err := follow(ctx, transports[each%len(transports)], asked, &readers[each], &counts, open.Done)
			if ctx.Err() == nil {
				cancel(fmt.Errorf("a stream ended: %w", err))
			}
		})
		if each%20 == 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if err := opened(ctx, &open); err != nil {
		return err
	}
	if *begin != "" {
		answer, err := http.Post(*begin, "", nil)
		if err != nil {
			return err
		}
		answer.Body.Close()
	}
	time.Sleep(*warm)
	before, own, err := proc.CPU(*pid)
	if err != nil {
		return err
	}
	began := time.Now()
	counts.Store(true)
	time.Sleep(*long)
	counts.Store(false)
	seconds := time.Since(began).Seconds()
	after, ownAfter, err := proc.CPU(*pid)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cancel(nil)
	running.Wait()
	told := summed(readers)
	told.Seconds, told.ServerCPU, told.OwnCPU = seconds, after-before, ownAfter-own
	return json.NewEncoder(os.Stdout).Encode(told)
}

func opened(ctx context.Context, open *sync.WaitGroup) error {
	all := make(chan struct{})
	go func() { open.Wait(); close(all) }()
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(openMost):
		return errors.New("not every stream has begun")
	}
}

func follow(ctx context.Context, over *http.Transport, asked []byte, into *reader, counts *atomic.Bool, begun func()) error {
	message := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(asked)))
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+*target+*method,
		bytes.NewReader(append(message, asked...)))
	if err != nil {
		return err
	}
	post.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}
	response, err := over.RoundTrip(post)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	head, body := make([]byte, 5), make([]byte, 0, 4096)
	for first := true; ; first = false {
		if _, err := io.ReadFull(response.Body, head); err != nil {
			return fmt.Errorf("%w, grpc-status %s: %s", err, response.Trailer.Get("Grpc-Status"),
				response.Trailer.Get("Grpc-Message"))
		}
		size := int(binary.BigEndian.Uint32(head[1:]))
		if size > messageMost || head[0] != 0 {
			return errors.New("a message that is compressed or too long")
		}
		body = slices.Grow(body[:0], size)[:size]
		if _, err := io.ReadFull(response.Body, body); err != nil {
			return err
		}
		if first {
			begun()
		}
		if counts.Load() {
			if err := into.note(body, time.Now().UnixNano()); err != nil {
				return err
			}
		}
	}
}

func summed(readers []reader) outcome {
	var told outcome
	moments := map[int64]struct{}{}
	for each := range readers {
		told.Messages += readers[each].messages
		told.Ticks += readers[each].ticks
		told.Folded += readers[each].folded
		if readers[each].ticks == 0 {
			told.Silent++
		}
		for _, news := range readers[each].news {
			moments[news.venue] = struct{}{}
		}
	}
	for moment := range moments {
		if last, all := lastOf(readers, moment); all {
			told.Last = append(told.Last, float64(last-moment)/1e6)
		}
	}
	slices.Sort(told.Last)
	return told
}

// lastOf gives when the last reader had the tick of that moment or a newer one; false where one of them did not live to.
func lastOf(readers []reader, moment int64) (int64, bool) {
	var last int64
	for each := range readers {
		news := readers[each].news
		at := sort.Search(len(news), func(i int) bool { return news[i].venue >= moment })
		if at == len(news) || at == 0 && news[0].venue > moment {
			return 0, false // the stretch ended, or began, in between
		}
		last = max(last, news[at].at)
	}
	return last, true
}
