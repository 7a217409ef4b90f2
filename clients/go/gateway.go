// Package execsvc is the thin Go client of execsvc, the execution gateway that owns a Kraken account's API keys.
//
// It adds to the generated stubs (package execsvcv1) what every caller needs and nothing more: address and token from the
// environment, TLS everywhere but on this machine, a deadline on every unary call, the project's retry policy, exact
// comparison of decimals, and what execsvc itself says about a failed call. Streams and orders are those of the stubs.
package execsvc

import (
	"context"
	_ "embed" // the retry policy
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	v1 "github.com/execsvc/execsvc/clients/go/execsvc/v1"
)

// Version of this client, told to the server with every call.
const Version = "0.1.0"

const (
	defaultTarget  = "127.0.0.1:50051"
	defaultTimeout = 10 * time.Second
	// A reader that stalls must not hoard stale ticks: grpc-go grows its window by itself unless it is given one.
	receiveWindow = 64 << 10
	maxMessage    = 16 << 20
)

var (
	// Finds a dead link in about a minute, and stays within what a server takes for politeness.
	alive = keepalive.ClientParameters{Time: 45 * time.Second, Timeout: 15 * time.Second}
	// A gateway that restarts is found again within five seconds; gRPC's own bound is two minutes.
	reconnect = grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
		MinConnectTimeout: 5 * time.Second,
	}
)

// ServiceConfig is the project's gRPC service config, the same in every language (clients/retry.json). grpc-go repeats
// by it and obeys grpc-retry-pushback-ms. Repeating a placement is safe: its client order id is its key.
//
//go:embed retry.json
var ServiceConfig string

// Options say where the gateway is and who calls.
type Options struct {
	Target    string        // host:port, or unix:path; empty: 127.0.0.1:50051
	Token     string        // the caller's bearer token; empty: none
	TLS       *TLSFiles     // TLS with these files, to this machine too; nil: TLS with the system's roots, to others alone
	Plaintext bool          // without TLS also to another machine
	Timeout   time.Duration // deadline of unary calls whose context has none; 0: 10 s
}

// String leaves the token out, so that options may be logged.
func (o Options) String() string {
	return fmt.Sprintf("execsvc.Options{Target: %q, Token: %t, TLS: %+v, Plaintext: %t, Timeout: %s}", o.Target, o.Token != "", o.TLS, o.Plaintext, o.Timeout)
}

// GoString is String: %#v shows no token either.
func (o Options) GoString() string { return o.String() }

// FromEnv reads EXECSVC_TARGET, EXECSVC_TOKEN or the content of EXECSVC_TOKEN_FILE, and the names of the TLS files. It
// fails when two variables contradict each other, and on a token file that cannot be read, is empty, or is read by others too.
func FromEnv() (Options, error) {
	options := Options{Target: os.Getenv("EXECSVC_TARGET"), Token: os.Getenv("EXECSVC_TOKEN")}
	var err error
	if options.TLS, err = tlsFromEnv(options.Target); err != nil {
		return Options{}, err
	}
	file := os.Getenv("EXECSVC_TOKEN_FILE")
	if file == "" {
		return options, nil
	}
	if options.Token != "" {
		return Options{}, errors.New("EXECSVC_TOKEN and EXECSVC_TOKEN_FILE are both set: keep one")
	}
	if options.Token, err = readToken(file); err != nil {
		return Options{}, err
	}
	return options, nil
}

// Gateway is one connection with the four clients of the contract on it.
type Gateway struct {
	Target     string
	MarketData v1.MarketDataServiceClient
	Orders     v1.OrderServiceClient
	Account    v1.AccountServiceClient
	Admin      v1.AdminServiceClient

	conn *grpc.ClientConn
}

// Connect makes the clients; the connection is opened by the first call. It fails where a token would travel in the open.
func Connect(options Options) (*Gateway, error) {
	if options.Target == "" {
		options.Target = defaultTarget
	}
	if options.Timeout == 0 {
		options.Timeout = defaultTimeout
	}
	transport, err := options.transport()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(
		options.Target,
		grpc.WithTransportCredentials(transport),
		grpc.WithPerRPCCredentials(identity{options.Token}),
		grpc.WithDefaultServiceConfig(ServiceConfig),
		grpc.WithInitialWindowSize(receiveWindow),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(alive),
		grpc.WithConnectParams(reconnect),
		grpc.WithUnaryInterceptor(withTimeout(options.Timeout)),
	)
	if err != nil {
		return nil, err
	}
	return &Gateway{
		Target:     options.Target,
		MarketData: v1.NewMarketDataServiceClient(conn),
		Orders:     v1.NewOrderServiceClient(conn),
		Account:    v1.NewAccountServiceClient(conn),
		Admin:      v1.NewAdminServiceClient(conn),
		conn:       conn,
	}, nil
}

// transport decides between TLS and plaintext. It fails where a token would travel in the open.
func (o Options) transport() (credentials.TransportCredentials, error) {
	here := local(o.Target)
	switch {
	case o.TLS != nil && o.Plaintext:
		return nil, errors.New("TLS and Plaintext are both asked for: keep one")
	case o.TLS != nil:
		return o.TLS.credentials()
	case o.Plaintext && !here && o.Token != "":
		return nil, fmt.Errorf("the token is not sent to %s without TLS", o.Target)
	case here || o.Plaintext:
		return insecure.NewCredentials(), nil
	default:
		return credentials.NewTLS(nil), nil
	}
}

// Close ends the connection and every stream on it.
func (g *Gateway) Close() error { return g.conn.Close() }

// local says whether the target is this machine.
func local(target string) bool {
	if strings.HasPrefix(target, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		host = target
	}
	address := net.ParseIP(host)
	return host == "localhost" || (address != nil && address.IsLoopback())
}

// identity is the metadata of every call: which client, and whose token.
type identity struct{ token string }

func (i identity) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	metadata := map[string]string{"x-client-name": "execsvc-go", "x-client-version": Version}
	if i.token != "" {
		metadata["authorization"] = "Bearer " + i.token
	}
	return metadata, nil
}

// RequireTransportSecurity is false because Connect has already decided: without TLS, a token only stays on this machine.
func (identity) RequireTransportSecurity() bool { return false }

// withTimeout gives a deadline to unary calls whose context has none.
func withTimeout(timeout time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		return call(ctx, method, req, reply, conn, options...)
	}
}
