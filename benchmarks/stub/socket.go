package main

import (
	"bufio"
	"crypto/sha1" // RFC 6455 asks for it; it protects nothing
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// The server's side of RFC 6455 as far as Kraken's v2 needs it: whole text frames, ping, close.
const (
	handshakeSalt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	opText        = 1
	opClose       = 8
	opPing        = 9
	opPong        = 10
	opTogether    = 0xff // frames that are framed already
	frameMost     = 64 << 10
	outboxSize    = 4096 // texts that wait; a reader that falls further behind is cut off
	timeLayout    = "2006-01-02T15:04:05.000000Z"
)

// stream is one WebSocket: public, or private once executions are subscribed.
type stream struct {
	conn     net.Conn
	out      chan frame
	gone     chan struct{}
	sequence int                      // of executions; touched under the exchange's mutex
	symbols  atomic.Pointer[[]string] // whose tickers are told, nil before any is subscribed
}

type frame struct {
	op      byte
	payload []byte
}

func (e *exchange) stream(w http.ResponseWriter, r *http.Request) {
	hijacker, able := w.(http.Hijacker)
	key := r.Header.Get("Sec-WebSocket-Key")
	if !able || key == "" {
		http.Error(w, "a WebSocket is spoken here", http.StatusBadRequest)
		return
	}
	conn, buffered, err := hijacker.Hijack()
	if err != nil {
		return
	}
	digest := sha1.Sum([]byte(key + handshakeSalt))
	s := &stream{conn: conn, out: make(chan frame, outboxSize), gone: make(chan struct{})}
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(digest[:]))
	if err == nil {
		s.say(`{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2",` +
			`"connection_id":1}]}`)
		go s.write()
		e.read(s, buffered.Reader)
	}
	e.mu.Lock()
	delete(e.streams, s)
	e.mu.Unlock()
	close(s.gone)
	conn.Close()
}

func (s *stream) say(text string) { s.send(frame{opText, []byte(text)}) }

func (s *stream) send(f frame) {
	select {
	case s.out <- f:
	default:
		s.conn.Close() // its reader notices
	}
}

// write sends what waits, and a heartbeat every second.
func (s *stream) write() {
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		f := frame{opText, []byte(`{"channel":"heartbeat"}`)}
		select {
		case <-s.gone:
			return
		case f = <-s.out:
		case <-beat.C:
		}
		bytes := f.payload
		if f.op != opTogether {
			bytes = framed(f)
		}
		if _, err := s.conn.Write(bytes); err != nil || f.op == opClose {
			s.conn.Close()
			return
		}
	}
}

func (e *exchange) read(s *stream, from *bufio.Reader) {
	for {
		f, err := unframed(from)
		if err != nil {
			return
		}
		switch f.op {
		case opText:
			e.heard(s, f.payload)
		case opPing:
			s.send(frame{opPong, f.payload})
		case opClose:
			s.send(frame{opClose, f.payload})
		}
	}
}

// heard answers a ping and the subscriptions of executions and tickers; no other channel is served here, and that is said.
func (e *exchange) heard(s *stream, text []byte) {
	var asked struct {
		Method string `json:"method"`
		ReqID  int64  `json:"req_id"`
		Params struct {
			Channel string   `json:"channel"`
			Symbol  []string `json:"symbol"`
		} `json:"params"`
	}
	if json.Unmarshal(text, &asked) != nil {
		return
	}
	now := time.Now().UTC().Format(timeLayout)
	times := fmt.Sprintf(`"req_id":%d,"time_in":%q,"time_out":%q}`, asked.ReqID, now, now)
	switch {
	case asked.Method == "ping":
		s.say(`{"method":"pong",` + times)
	case asked.Method == "subscribe" && asked.Params.Channel == "executions":
		e.mu.Lock()
		defer e.mu.Unlock()
		s.sequence = 1
		e.streams[s] = struct{}{}
		s.say(`{"method":"subscribe","result":{"channel":"executions","snap_orders":true,"snap_trades":true},` +
			`"success":true,` + times)
		s.say(`{"channel":"executions","type":"snapshot","data":[],"sequence":1}`)
	case asked.Method == "subscribe" && asked.Params.Channel == "ticker":
		for _, symbol := range asked.Params.Symbol {
			s.say(`{"method":"subscribe","result":{"channel":"ticker","event_trigger":"trades","snapshot":true,"symbol":"` +
				symbol + `"},"success":true,` + times)
			s.say(tick(symbol, "snapshot", 0, time.Now()))
		}
		known := asked.Params.Symbol
		if before := s.symbols.Load(); before != nil {
			known = append(slices.Clone(*before), known...)
		} else {
			go e.tickOn(s)
		}
		s.symbols.Store(&known)
	default:
		s.say(`{"method":"` + asked.Method + `","success":false,"error":"not served by the stub",` + times)
	}
}

// report tells every private stream of a new order in two messages, pending_new and new.
func (e *exchange) report(form url.Values, txid string) {
	now := time.Now().UTC().Format(timeLayout)
	first := fmt.Sprintf(`{"order_id":%q,"cl_ord_id":%q,"symbol":"BTC/USD","order_qty":%s,"cum_qty":0.0,"cum_cost":0.0,`+
		`"time_in_force":"GTC","exec_type":"pending_new","side":%q,"order_type":%q,"order_status":"pending_new",`+
		`"fee_usd_equiv":0.0,"timestamp":%q}`,
		txid, form.Get("cl_ord_id"), form.Get("volume"), form.Get("type"), form.Get("ordertype"), now)
	second := fmt.Sprintf(`{"timestamp":%q,"order_status":"new","exec_type":"new","order_id":%q}`, now, txid)
	e.mu.Lock()
	defer e.mu.Unlock()
	for s := range e.streams {
		for _, row := range []string{first, second} {
			s.sequence++
			e.counts.Reports++
			s.say(fmt.Sprintf(`{"channel":"executions","type":"update","data":[%s],"sequence":%d}`, row, s.sequence))
		}
	}
}

func framed(f frame) []byte {
	head := []byte{0x80 | f.op}
	switch size := len(f.payload); {
	case size < 126:
		head = append(head, byte(size))
	case size <= 0xffff:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(size))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(size))
	}
	return append(head, f.payload...)
}

func unframed(from *bufio.Reader) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return frame{}, err
	}
	size := uint64(head[1] & 0x7f)
	if size >= 126 {
		wide := make([]byte, map[uint64]int{126: 2, 127: 8}[size])
		if _, err := io.ReadFull(from, wide); err != nil {
			return frame{}, err
		}
		size = 0
		for _, each := range wide {
			size = size<<8 | uint64(each)
		}
	}
	if whole, masked := head[0]&0x80 != 0, head[1]&0x80 != 0; !whole || !masked || size > frameMost {
		return frame{}, errors.New("a frame that is split, unmasked or too long")
	}
	sealed := make([]byte, 4+size)
	if _, err := io.ReadFull(from, sealed); err != nil {
		return frame{}, err
	}
	payload := sealed[4:]
	for at := range payload {
		payload[at] ^= sealed[at%4]
	}
	return frame{head[0] & 0x0f, payload}, nil
}
