// Command follow reads the public trades and the candles of BTC/USD and the balances of the account, each on a stream of its
// own, until every one of them had news while LIVE.
//
// It prints one JSON line per message that has any. Usage: follow [seconds of patience, 30]
// Exit 0: done; 1: failed, with the reason on stderr.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	execsvc "github.com/execsvc/execsvc/clients/go"
	v1 "github.com/execsvc/execsvc/clients/go/execsvc/v1"
)

const symbol = "BTC/USD"

type facts map[string]any

// printer keeps the lines of several streams apart.
type printer struct{ turn sync.Mutex }

// say prints what a message brought, and tells whether it was news of a stream that is LIVE: anything else, a state newer
// than this stub included, is nothing to act on.
func (p *printer) say(step, event string, meta *v1.StreamMeta, facts facts) bool {
	facts["step"], facts["event"] = step, event
	facts["state"] = strings.TrimPrefix(meta.GetFeedState().String(), "FEED_STATE_")
	line, err := json.Marshal(facts)
	if err != nil {
		panic(err) // only texts and numbers are said
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	fmt.Println(string(line))
	return event != "gap" && meta.GetFeedState() == v1.FeedState_FEED_STATE_LIVE
}

func (p *printer) gap(step string, meta *v1.StreamMeta, gap *v1.Gap) bool {
	return p.say(step, "gap", meta, facts{"reason": strings.TrimPrefix(gap.GetReason().String(), "GAP_REASON_")})
}

// trades has no snapshot: a gap is a hole, and ListTrades has what happened in it.
func (p *printer) trades(message *v1.SubscribeTradesResponse) bool {
	switch event := message.GetEvent().(type) {
	case *v1.SubscribeTradesResponse_Gap:
		return p.gap("trades", message.GetMeta(), event.Gap)
	case *v1.SubscribeTradesResponse_Trades:
		trades := event.Trades.GetTrades()
		if len(trades) == 0 {
			return false
		}
		last := trades[len(trades)-1]
		return p.say("trades", "trades", message.GetMeta(), facts{
			"count": len(trades), "price": last.GetPrice(), "quantity": last.GetQuantity(),
		})
	}
	return false
}

// candles begins with a snapshot of each symbol, the open candle last; an update replaces the candle of its open time.
func (p *printer) candles(message *v1.SubscribeCandlesResponse) bool {
	said := func(name string, candles []*v1.Candle) bool {
		if len(candles) == 0 {
			return p.say("candles", name, message.GetMeta(), facts{"count": 0})
		}
		last := candles[len(candles)-1]
		return p.say("candles", name, message.GetMeta(), facts{
			"count": len(candles), "close_price": last.GetClosePrice(), "closed": last.GetClosed(),
		})
	}
	switch event := message.GetEvent().(type) {
	case *v1.SubscribeCandlesResponse_Gap:
		return p.gap("candles", message.GetMeta(), event.Gap)
	case *v1.SubscribeCandlesResponse_Snapshot:
		return said("snapshot", event.Snapshot.GetCandles())
	case *v1.SubscribeCandlesResponse_Update:
		return said("update", event.Update.GetCandles())
	}
	return false
}

// balances begins with all that are not zero; an update replaces the balance of its asset.
func (p *printer) balances(message *v1.SubscribeBalancesResponse) bool {
	said := func(name string, balances ...*v1.Balance) bool {
		totals := map[string]string{}
		for _, balance := range balances {
			totals[balance.GetAsset()] = balance.GetTotal()
		}
		return p.say("balances", name, message.GetMeta(), facts{"totals": totals})
	}
	switch event := message.GetEvent().(type) {
	case *v1.SubscribeBalancesResponse_Gap:
		return p.gap("balances", message.GetMeta(), event.Gap)
	case *v1.SubscribeBalancesResponse_Snapshot:
		return said("snapshot", event.Snapshot.GetBalances()...)
	case *v1.SubscribeBalancesResponse_Update:
		return said("update", event.Update)
	}
	return false
}

// read takes messages until one is enough. It follows an open, so that both failures are one.
func read[M any](enough func(*M) bool) func(grpc.ServerStreamingClient[M], error) error {
	return func(stream grpc.ServerStreamingClient[M], err error) error {
		for err == nil {
			var message *M
			if message, err = stream.Recv(); err == nil && enough(message) {
				return nil
			}
		}
		return err
	}
}

func run(patience time.Duration) error {
	options, err := execsvc.FromEnv()
	if err != nil {
		return err
	}
	gateway, err := execsvc.Connect(options)
	if err != nil {
		return err
	}
	defer gateway.Close() //nolint:errcheck // nothing is left to lose
	// A stream has no deadline of its own. The end of the context ends all three.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out printer
	streams := []func() error{
		func() error {
			request := &v1.SubscribeTradesRequest{Symbols: []string{symbol}}
			return read(out.trades)(gateway.MarketData.SubscribeTrades(ctx, request))
		},
		func() error {
			request := &v1.SubscribeCandlesRequest{
				Symbols: []string{symbol}, Interval: durationpb.New(time.Minute), HistoryCount: 10,
			}
			return read(out.candles)(gateway.MarketData.SubscribeCandles(ctx, request))
		},
		func() error {
			return read(out.balances)(gateway.Account.SubscribeBalances(ctx, &v1.SubscribeBalancesRequest{}))
		},
	}
	ends := make(chan error, len(streams))
	for _, stream := range streams {
		go func() { ends <- stream() }()
	}
	for range streams {
		if err := <-ends; err != nil {
			if ctx.Err() != nil {
				return errors.New("not every stream had news in time")
			}
			return err
		}
	}
	return nil
}

func explain(err error) string {
	if refusal, ours := execsvc.RefusalOf(err); ours {
		return fmt.Sprintf("refused by execsvc, %s: %s", refusal.Reason, refusal.Message)
	}
	return err.Error()
}

func main() {
	patience, err := 30, error(nil)
	if len(os.Args) > 1 {
		if patience, err = strconv.Atoi(os.Args[1]); err != nil || patience < 1 {
			err = fmt.Errorf("not a whole number above 0: %s", os.Args[1])
		}
	}
	if err == nil {
		err = run(time.Duration(patience) * time.Second)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "follow:", explain(err))
		os.Exit(1)
	}
}
