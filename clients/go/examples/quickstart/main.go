// Command quickstart watches BTC/USD and ETH/USD, then places one small order far below the market, reads it and cancels
// it.
//
// It prints one JSON line per step. Usage: quickstart [updates to wait for, 5] [seconds of patience, 30]
// Exit 0: done; 1: failed, with the reason on stderr; 8: the fate of the order is not known yet.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	execsvc "github.com/execsvc/execsvc/clients/go"
	v1 "github.com/execsvc/execsvc/clients/go/execsvc/v1"
)

const (
	symbol = "BTC/USD"
	poll   = 200 * time.Millisecond
)

var (
	symbols = []string{symbol, "ETH/USD"}
	// A status newer than this stub is in neither list: not terminal, so it is asked for again or cancelled.
	open  = []v1.OrderStatus{v1.OrderStatus_ORDER_STATUS_SUBMITTED, v1.OrderStatus_ORDER_STATUS_IN_DOUBT}
	ended = []v1.OrderStatus{
		v1.OrderStatus_ORDER_STATUS_FILLED, v1.OrderStatus_ORDER_STATUS_CANCELLED, v1.OrderStatus_ORDER_STATUS_EXPIRED,
		v1.OrderStatus_ORDER_STATUS_REJECTED, v1.OrderStatus_ORDER_STATUS_NOT_PLACED,
	}
)

// unknownFate is a failure after which the order may or may not stand.
type unknownFate string

func (u unknownFate) Error() string { return string(u) }

type facts map[string]any

func say(step string, facts facts) {
	facts["step"] = step
	line, err := json.Marshal(facts)
	if err != nil {
		panic(err) // only texts, numbers and booleans are said
	}
	fmt.Println(string(line))
}

func statusName(status v1.OrderStatus) string {
	return strings.TrimPrefix(status.String(), "ORDER_STATUS_")
}

func about(order *v1.Order) facts {
	return facts{
		"client_order_id":  order.GetClientOrderId(),
		"order_id":         order.GetOrderId(),
		"status":           statusName(order.GetStatus()),
		"cancel_requested": order.GetCancelRequested(),
		"filled_quantity":  order.GetFilledQuantity(),
	}
}

func byID(clientOrderID string) *v1.OrderRef {
	return &v1.OrderRef{Id: &v1.OrderRef_ClientOrderId{ClientOrderId: clientOrderID}}
}

func demandPaper(ctx context.Context, gateway *execsvc.Gateway) error {
	info, err := gateway.Admin.GetServerInfo(ctx, &v1.GetServerInfoRequest{})
	if err != nil {
		return err
	}
	say("connected", facts{
		"target": gateway.Target, "version": info.GetVersion(), "venue": info.GetVenue(), "caller": info.GetCaller(),
	})
	if info.GetVenue() != "paper" && os.Getenv("EXECSVC_ALLOW_LIVE") != "1" {
		return fmt.Errorf("%s trades real money: set EXECSVC_ALLOW_LIVE=1 if that is meant", gateway.Target)
	}
	return nil
}

// board is the best bid of every symbol, as far as it may be acted on.
type board struct {
	bids    map[string]string
	updates int
}

func (b *board) read(message *v1.SubscribeTickersResponse) {
	var tickers []*v1.Ticker
	switch event := message.GetEvent().(type) {
	case *v1.SubscribeTickersResponse_Gap:
		lost := event.Gap.GetSymbols()
		if len(lost) == 0 {
			lost = symbols
		}
		for _, one := range lost {
			delete(b.bids, one)
		}
	case *v1.SubscribeTickersResponse_Snapshot:
		tickers = event.Snapshot.GetTickers()
	case *v1.SubscribeTickersResponse_Update:
		tickers = event.Update.GetTickers()
	}
	// Anything but LIVE, a state newer than this stub included, is no price to act on.
	if message.GetMeta().GetFeedState() != v1.FeedState_FEED_STATE_LIVE {
		return
	}
	for _, ticker := range tickers {
		b.bids[ticker.GetSymbol()] = ticker.GetBidPrice()
		if ticker.GetBidPrice() == "" {
			delete(b.bids, ticker.GetSymbol())
		}
	}
	if message.GetUpdate() != nil {
		b.updates += len(tickers)
	}
}

func (b *board) complete(wanted int) bool {
	unknown := func(one string) bool { return b.bids[one] == "" }
	return b.updates >= wanted && !slices.ContainsFunc(symbols, unknown)
}

// watch reads tickers until enough came; it gives the best bid of the symbol.
func watch(ctx context.Context, gateway *execsvc.Gateway, wanted int, patience time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stream, err := gateway.MarketData.SubscribeTickers(ctx, &v1.SubscribeTickersRequest{Symbols: symbols})
	if err != nil {
		return "", err
	}
	board := board{bids: map[string]string{}}
	for !board.complete(wanted) {
		message, err := stream.Recv()
		if ctx.Err() != nil {
			return "", fmt.Errorf("only %d of %d live updates came in time", board.updates, wanted)
		}
		if err != nil {
			return "", err
		}
		board.read(message)
	}
	say("tickers", facts{"updates": board.updates, "bids": board.bids})
	return board.bids[symbol], nil
}

// settle asks until the fate of the order is known: always by the same id, and never by placing another.
func settle(ctx context.Context, gateway *execsvc.Gateway, clientOrderID string, order *v1.Order, patience time.Duration) (*v1.Order, error) {
	for until := time.Now().Add(patience); order == nil || slices.Contains(open, order.GetStatus()); {
		say("in_doubt", facts{"client_order_id": clientOrderID, "next": "GetOrder with the same id"})
		if time.Now().After(until) {
			return nil, unknownFate(fmt.Sprintf("the fate of %s is not known yet: ask for the same id again, place no other", clientOrderID))
		}
		time.Sleep(poll)
		found, err := lookUp(ctx, gateway, clientOrderID)
		if err != nil {
			return nil, err
		}
		if found != nil {
			order = found
		}
	}
	return order, nil
}

// lookUp gives nil where the question itself was lost; it is then asked again.
func lookUp(ctx context.Context, gateway *execsvc.Gateway, clientOrderID string) (*v1.Order, error) {
	answer, err := gateway.Orders.GetOrder(ctx, &v1.GetOrderRequest{Order: byID(clientOrderID)})
	if _, refused := execsvc.RefusalOf(err); refused {
		return nil, err
	}
	return answer.GetOrder(), nil
}

// limitOrder is a small buy, 3 % below the bid.
func limitOrder(ctx context.Context, gateway *execsvc.Gateway, bid string) (*v1.OrderSpec, error) {
	listed, err := gateway.MarketData.ListInstruments(ctx, &v1.ListInstrumentsRequest{Symbols: []string{symbol}})
	if err != nil {
		return nil, err
	}
	if len(listed.GetInstruments()) == 0 {
		return nil, fmt.Errorf("the gateway does not know %s", symbol)
	}
	pair := listed.GetInstruments()[0]
	price, err := execsvc.PercentOf(bid, 97, pair.GetPriceIncrement())
	if err != nil {
		return nil, err
	}
	quantity := "0.0001"
	switch order, err := execsvc.CompareDecimals(quantity, pair.GetMinQuantity()); {
	case err != nil:
		return nil, err
	case order < 0:
		quantity = pair.GetMinQuantity()
	}
	return &v1.OrderSpec{
		Symbol:    symbol,
		Side:      v1.Side_SIDE_BUY,
		Size:      &v1.OrderSpec_BaseQuantity{BaseQuantity: quantity},
		OrderType: &v1.OrderSpec_Limit{Limit: &v1.LimitOrder{LimitPrice: price, PostOnly: true}},
	}, nil
}

func place(ctx context.Context, gateway *execsvc.Gateway, spec *v1.OrderSpec, patience time.Duration) (*v1.Order, error) {
	// Made once and shown before anything is sent: after a crash, the order can be looked up by it.
	clientOrderID := "quickstart-" + rand.Text()
	say("placing", facts{
		"client_order_id": clientOrderID, "symbol": symbol,
		"base_quantity": spec.GetBaseQuantity(), "limit_price": spec.GetLimit().GetLimitPrice(),
	})
	answer, err := gateway.Orders.PlaceOrder(ctx, &v1.PlaceOrderRequest{ClientOrderId: clientOrderID, Spec: spec})
	if err != nil {
		// An error that is not the gateway's own (a timeout here, a proxy) says nothing about the order.
		if _, refused := execsvc.RefusalOf(err); refused {
			return nil, err
		}
		say("no_answer", facts{"client_order_id": clientOrderID, "error": err.Error()})
	}
	order, err := settle(ctx, gateway, clientOrderID, answer.GetOrder(), patience)
	if err != nil {
		return nil, err
	}
	say("placed", about(order))
	if slices.Contains(ended, order.GetStatus()) || order.GetStatus() == v1.OrderStatus_ORDER_STATUS_NEVER_SENT {
		why := order.GetEndError()
		return nil, fmt.Errorf("the order ended as %s: %s, %s", statusName(order.GetStatus()), why.GetReason(), why.GetMessage())
	}
	return order, nil
}

func cancelOrder(ctx context.Context, gateway *execsvc.Gateway, clientOrderID string, patience time.Duration) error {
	answer, err := gateway.Orders.CancelOrder(ctx, &v1.CancelOrderRequest{Order: byID(clientOrderID)})
	if err != nil {
		return err
	}
	order := answer.GetOrder()
	say("cancelling", about(order))
	for until := time.Now().Add(patience); !slices.Contains(ended, order.GetStatus()); {
		if time.Now().After(until) {
			return unknownFate(fmt.Sprintf("the cancel of %s is recorded, but the order has not ended yet", clientOrderID))
		}
		time.Sleep(poll)
		found, err := lookUp(ctx, gateway, clientOrderID)
		if err != nil {
			return err
		}
		if found != nil {
			order = found
		}
	}
	if order.GetStatus() != v1.OrderStatus_ORDER_STATUS_CANCELLED {
		return fmt.Errorf("the order ended as %s", statusName(order.GetStatus()))
	}
	say("cancelled", about(order))
	return nil
}

func run(ctx context.Context, updates int, patience time.Duration) error {
	options, err := execsvc.FromEnv()
	if err != nil {
		return err
	}
	gateway, err := execsvc.Connect(options)
	if err != nil {
		return err
	}
	defer gateway.Close() //nolint:errcheck // nothing is left to lose
	if err := demandPaper(ctx, gateway); err != nil {
		return err
	}
	bid, err := watch(ctx, gateway, updates, patience)
	if err != nil {
		return err
	}
	spec, err := limitOrder(ctx, gateway, bid)
	if err != nil {
		return err
	}
	placed, err := place(ctx, gateway, spec, patience)
	if err != nil {
		return err
	}
	read, err := gateway.Orders.GetOrder(ctx, &v1.GetOrderRequest{Order: byID(placed.GetClientOrderId())})
	if err != nil {
		return err
	}
	say("read", about(read.GetOrder()))
	return cancelOrder(ctx, gateway, placed.GetClientOrderId(), patience)
}

func explain(err error) string {
	refusal, ours := execsvc.RefusalOf(err)
	if !ours {
		return err.Error()
	}
	text := fmt.Sprintf("refused by execsvc, %s: %s", refusal.Reason, refusal.Message)
	if refusal.RetryAfter >= 0 {
		text += fmt.Sprintf(" Try again in %s.", refusal.RetryAfter)
	}
	switch refusal.Metadata["id_used"] {
	case "false":
		text += " The same id may be sent again."
	case "true":
		text += " A new try needs a new id."
	}
	return text
}

// argument reads a whole number above 0 from the command line.
func argument(position, otherwise int) (int, error) {
	if len(os.Args) <= position {
		return otherwise, nil
	}
	value, err := strconv.Atoi(os.Args[position])
	if err != nil || value < 1 {
		return 0, fmt.Errorf("not a whole number above 0: %s", os.Args[position])
	}
	return value, nil
}

func main() {
	updates, err := argument(1, 5)
	patience, wrong := argument(2, 30)
	if err = errors.Join(err, wrong); err == nil {
		err = run(context.Background(), updates, time.Duration(patience)*time.Second)
	}
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "quickstart:", explain(err))
	var fate unknownFate
	if errors.As(err, &fate) {
		os.Exit(8)
	}
	os.Exit(1)
}
