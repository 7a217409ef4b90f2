package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	bodyMost  = 64 << 10
	txidStart = "OBENCH-" // the load generator looks for it: only an order that got here has such an id
)

// counts is what GET /counts tells, since the start. HeldSeconds is how long orders stayed here altogether,
// from their arrival to their reply.
type counts struct {
	Orders       int     `json:"orders"`
	DuplicateIDs int     `json:"duplicate_ids"`
	StaleNonces  int     `json:"stale_nonces"`
	Private      int     `json:"private_calls"`
	Reports      int     `json:"reports"`
	HeldSeconds  float64 `json:"held_seconds"`
}

// exchange holds what is remembered of each key, and the private streams that are open.
type exchange struct {
	settings atomic.Pointer[settings]
	mu       sync.Mutex
	counts   counts
	nonces   map[string]uint64   // the highest seen, by key
	ids      map[string]struct{} // every cl_ord_id seen, of any key
	streams  map[*stream]struct{}
}

func newExchange() *exchange {
	return &exchange{
		nonces:  map[string]uint64{},
		ids:     map[string]struct{}{},
		streams: map[*stream]struct{}{},
	}
}

func (e *exchange) set(wanted settings) { e.settings.Store(&wanted) }

func (e *exchange) counted() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	text, err := json.Marshal(e.counts)
	if err != nil {
		panic(err) // plain numbers
	}
	return string(text)
}

func (e *exchange) public(w http.ResponseWriter, r *http.Request) {
	now := time.Now().UTC()
	switch strings.TrimPrefix(r.URL.Path, "/0/public/") {
	case "Time":
		result(w, fmt.Sprintf(`{"unixtime":%d,"rfc1123":%q}`, now.Unix(), now.Format(time.RFC1123Z)))
	case "SystemStatus":
		result(w, fmt.Sprintf(`{"status":"online","timestamp":%q}`, now.Format(time.RFC3339)))
	case "Assets":
		result(w, assets)
	case "AssetPairs":
		result(w, pairs)
	case "Ticker":
		result(w, tickers)
	default:
		answer(w, `{"error":["EGeneral:Unknown method"]}`)
	}
}

func (e *exchange) private(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMost))
	if err != nil {
		return // the client is gone, or says more than anybody needs to say
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		answer(w, `{"error":["EGeneral:Invalid arguments"]}`)
		return
	}
	began, now := time.Now(), *e.settings.Load()
	if now.jitter > 0 {
		time.Sleep(rand.N(now.jitter))
	}
	e.judge(r.Header.Get("API-Key"), form.Get("nonce"))
	method := strings.TrimPrefix(r.URL.Path, "/0/private/")
	if method != "AddOrder" {
		time.Sleep(now.delay)
		answerPrivate(w, method)
		return
	}
	txid := e.add(form.Get("cl_ord_id"))
	time.Sleep(now.delay)
	e.held(time.Since(began))
	order := strings.Join([]string{form.Get("type"), form.Get("volume"), form.Get("pair"), "@",
		form.Get("ordertype"), form.Get("price")}, " ")
	result(w, `{"descr":{"order":`+strconv.Quote(order)+`},"txid":["`+txid+`"]}`)
	if now.reports {
		e.report(form, txid)
	}
}

// judge counts a call, and a nonce that is not above all before it.
func (e *exchange) judge(key, text string) {
	nonce, err := strconv.ParseUint(text, 10, 64)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counts.Private++
	if err != nil || nonce <= e.nonces[key] {
		e.counts.StaleNonces++
		return
	}
	e.nonces[key] = nonce
}

// add counts an order and gives it an id in Kraken's form, no two alike.
func (e *exchange) add(clientID string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counts.Orders++
	if _, seen := e.ids[clientID]; seen && clientID != "" {
		e.counts.DuplicateIDs++
	}
	e.ids[clientID] = struct{}{}
	digits := fmt.Sprintf("%011s", strings.ToUpper(strconv.FormatInt(int64(e.counts.Orders), 36)))
	return txidStart + digits[:5] + "-" + digits[5:]
}

func (e *exchange) held(span time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counts.HeldSeconds += span.Seconds()
}

func answerPrivate(w http.ResponseWriter, method string) {
	fixed, known := replies[method]
	if !known {
		answer(w, `{"error":["EGeneral:Unknown method"]}`)
		return
	}
	result(w, fixed)
}

func result(w http.ResponseWriter, text string) { answer(w, `{"error":[],"result":`+text+`}`) }

func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = io.WriteString(w, text) // a client that left is not missed
}
