// Command pushback makes one call with grpc-go and the generated stubs, and nothing else of ours.
//
// It prints one JSON line: how the call ended, and what the refusal carried. EXECSVC_TARGET is the address.
// Usage: pushback METHOD TIMEOUT_MS [POLICY], POLICY being a file with a gRPC service config.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	v1 "github.com/execsvc/execsvc/clients/go/execsvc/v1"
)

func main() {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if len(os.Args) > 3 {
		policy, err := os.ReadFile(os.Args[3])
		must(err)
		options = append(options, grpc.WithDefaultServiceConfig(string(policy)))
	}
	conn, err := grpc.NewClient(os.Getenv("EXECSVC_TARGET"), options...)
	must(err)
	defer conn.Close()
	timeout, err := strconv.Atoi(os.Args[2])
	must(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(timeout)*time.Millisecond)
	defer cancel()
	var trailer metadata.MD
	told(call(ctx, conn, os.Args[1], grpc.Trailer(&trailer)), trailer)
}

func call(ctx context.Context, conn *grpc.ClientConn, method string, options ...grpc.CallOption) error {
	if method == "ListBalances" {
		_, err := v1.NewAccountServiceClient(conn).ListBalances(ctx, &v1.ListBalancesRequest{}, options...)
		return err
	}
	spec := &v1.OrderSpec{
		Symbol:    "BTC/USD",
		Side:      v1.Side_SIDE_BUY,
		Size:      &v1.OrderSpec_BaseQuantity{BaseQuantity: "0.001"},
		OrderType: &v1.OrderSpec_Limit{Limit: &v1.LimitOrder{LimitPrice: "60000.0"}},
	}
	request := &v1.PlaceOrderRequest{ClientOrderId: "one", Spec: spec}
	_, err := v1.NewOrderServiceClient(conn).PlaceOrder(ctx, request, options...)
	return err
}

func told(err error, trailer metadata.MD) {
	said := map[string]any{"code": int(status.Code(err)), "pushback": "", "retry_ns": 0, "subject": ""}
	if given := trailer.Get("grpc-retry-pushback-ms"); len(given) == 1 {
		said["pushback"] = given[0]
	}
	for _, detail := range status.Convert(err).Details() {
		switch held := detail.(type) {
		case *errdetails.RetryInfo:
			said["retry_ns"] = held.GetRetryDelay().AsDuration().Nanoseconds()
		case *errdetails.QuotaFailure:
			said["subject"] = held.GetViolations()[0].GetSubject()
		}
	}
	must(json.NewEncoder(os.Stdout).Encode(said))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
