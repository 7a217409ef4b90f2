// Command stub is an exchange for benchmarks: it answers at once what a client of Kraken's REST asks, and counts.
//
// It is no paper exchange: nothing is matched, no signature is checked and nothing is refused, so that a client which does
// wrong goes on doing it and is counted. The shapes are those of Kraken's published examples. Standard library only.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "loopback address; port 0 picks a free one")
	delay := flag.Duration("delay", 0, "how long a private reply is held back")
	jitter := flag.Duration("jitter", 0, "a private request is judged after 0 to so long, as if the network had held it up")
	reports := flag.Bool("reports", false, "tell every new order on the private stream too, as Kraken does")
	ticks := flag.Int("ticks", 0, "so often a second every subscribed ticker has news, all of them in one write")
	flag.Parse()
	exchange := newExchange()
	exchange.set(settings{*delay, *jitter, *reports, *ticks})
	if err := serve(*listen, exchange); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(listen string, exchange *exchange) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if address, ok := listener.Addr().(*net.TCPAddr); !ok || !address.IP.IsLoopback() {
		return fmt.Errorf("%s is not loopback: this exchange is for benchmarks only", listen)
	}
	fmt.Println(listener.Addr())
	server := &http.Server{Handler: routes(exchange), ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(listener)
}

func routes(exchange *exchange) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/0/public/", exchange.public)
	mux.HandleFunc("/0/private/", exchange.private)
	mux.HandleFunc("/v2", exchange.stream)
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) { answer(w, exchange.counted()) })
	mux.HandleFunc("POST /settings", func(w http.ResponseWriter, r *http.Request) {
		wanted, err := settingsOf(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		exchange.set(wanted)
		answer(w, exchange.counted())
	})
	return mux
}

// settings may be changed while it runs: POST /settings?delay=20ms&jitter=3ms&reports=true&ticks=10; what is not named is off.
type settings struct {
	delay, jitter time.Duration
	reports       bool
	ticks         int
}

func settingsOf(r *http.Request) (settings, error) {
	var wanted settings
	var err error
	query := r.URL.Query()
	for name, into := range map[string]*time.Duration{"delay": &wanted.delay, "jitter": &wanted.jitter} {
		if text := query.Get(name); text != "" && err == nil {
			*into, err = time.ParseDuration(text)
		}
	}
	if text := query.Get("reports"); text != "" && err == nil {
		wanted.reports, err = strconv.ParseBool(text)
	}
	if text := query.Get("ticks"); text != "" && err == nil {
		wanted.ticks, err = strconv.Atoi(text)
	}
	return wanted, err
}
