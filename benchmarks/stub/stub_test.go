package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func post(t *testing.T, exchange *exchange, key string, form url.Values) string {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/0/private/AddOrder", strings.NewReader(form.Encode()))
	request.Header.Set("API-Key", key)
	reply := httptest.NewRecorder()
	routes(exchange).ServeHTTP(reply, request)
	return reply.Body.String()
}

func told(t *testing.T, exchange *exchange) counts {
	t.Helper()
	var now counts
	if err := json.Unmarshal([]byte(exchange.counted()), &now); err != nil {
		t.Fatal(err)
	}
	return now
}

func fresh() *exchange {
	exchange := newExchange()
	exchange.set(settings{})
	return exchange
}

// A nonce is stale unless it is above every earlier one of the same key; keys do not mix.
func TestStaleNonces(t *testing.T) {
	exchange := fresh()
	for _, call := range [][2]string{{"a", "5"}, {"a", "6"}, {"b", "1"}, {"a", "6"}, {"a", "2"}, {"b", "2"}, {"a", ""}} {
		post(t, exchange, call[0], url.Values{"nonce": {call[1]}})
	}
	if got := told(t, exchange).StaleNonces; got != 3 {
		t.Errorf("3 nonces are stale, counted %d", got)
	}
}

// An id that comes again is counted once more; orders without one are none of its business.
func TestDuplicateIDs(t *testing.T) {
	exchange := fresh()
	for _, id := range []string{"x", "y", "x", "", ""} {
		post(t, exchange, "a", url.Values{"cl_ord_id": {id}})
	}
	if got := told(t, exchange); got.Orders != 5 || got.DuplicateIDs != 1 {
		t.Errorf("5 orders and 1 duplicate came, counted %+v", got)
	}
}

// No two orders are given the same id.
func TestTransactionIDs(t *testing.T) {
	exchange := fresh()
	seen := map[string]bool{}
	for range 2000 {
		seen[post(t, exchange, "a", url.Values{})] = true
	}
	if len(seen) != 2000 {
		t.Errorf("2000 orders were given %d ids", len(seen))
	}
}

// A masked frame of a client is read as it was meant, whatever its length takes to write.
func TestFrames(t *testing.T) {
	for _, size := range []int{0, 125, 126, 60_000} {
		payload := bytes.Repeat([]byte("x"), size)
		plain := framed(frame{opText, payload})
		head := len(plain) - size
		masked := append([]byte{}, plain[:head]...)
		masked[1] |= 0x80
		masked = append(masked, 1, 2, 3, 4)
		for at, each := range payload {
			masked = append(masked, each^byte(at%4+1))
		}
		got, err := unframed(bufio.NewReader(bytes.NewReader(masked)))
		if err != nil || got.op != opText || !bytes.Equal(got.payload, payload) {
			t.Errorf("%d bytes were not read back: %v", size, err)
		}
	}
}

// Whoever subscribes to tickers is answered, gets a snapshot of each, and then news of all of them in one write.
func TestTicks(t *testing.T) {
	exchange := fresh()
	exchange.set(settings{ticks: 100})
	s := &stream{out: make(chan frame, outboxSize), gone: make(chan struct{})}
	defer close(s.gone)
	exchange.heard(s, []byte(`{"method":"subscribe","req_id":7,"params":{"channel":"ticker","symbol":["BTC/USD","ETH/USD"]}}`))
	var said []string
	for range 4 {
		said = append(said, string((<-s.out).payload))
	}
	for at, want := range []string{`"success":true`, `"type":"snapshot"`, `"success":true`, `"type":"snapshot"`} {
		if !strings.Contains(said[at], want) || !json.Valid([]byte(said[at])) {
			t.Errorf("%s is not %s", said[at], want)
		}
	}
	together := <-s.out
	for _, symbol := range []string{"BTC/USD", "ETH/USD"} {
		if together.op != opTogether || bytes.Count(together.payload, []byte(symbol)) != 1 {
			t.Errorf("%q has no news of %s", together.payload, symbol)
		}
	}
}
