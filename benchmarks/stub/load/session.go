package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/execsvc/execsvc/benchmarks/stub/fields"
)

// Field numbers of OrderSessionRequest, OpenOrderSession and OrderSessionResponse (proto/execsvc/v1).
const (
	fieldNumber, fieldOpen, fieldPlace  = 1, 2, 3
	fieldHeartbeat, fieldMost           = 4, 5
	fieldSeconds                        = 1
	fieldAnswers, fieldPlaced, fieldErr = 2, 4, 8
	quietSeconds                        = 60 // between heartbeats, which unary calls do not have
	opening                             = 1  // number of the request that opens
)

// session keeps so many requests of one OrderSession unanswered. Every stretch has a session of its own, opened before
// its time begins.
type session struct {
	*caller
	say   io.WriteCloser
	hear  io.ReadCloser
	room  chan struct{} // a token for each request that may be sent
	mu    sync.Mutex
	began map[uint64]time.Time
	took  []time.Duration
}

// keepSession begins requests for so long, waits for the last answer and gives the time that each good one took.
func (c *caller) keepSession(inFlight int, long time.Duration) []time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), long+20*time.Second)
	defer cancel()
	s, err := c.opened(ctx, inFlight)
	if err != nil {
		c.noted(err)
		return nil
	}
	defer s.hear.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.listen() }()
	if err := s.ask(time.Now().Add(long), ended); err != nil {
		c.noted(err)
		return nil
	}
	s.say.Close()
	if err := <-ended; err != nil {
		c.noted(err)
	}
	return s.took
}

func (c *caller) opened(ctx context.Context, inFlight int) (*session, error) {
	from, to := io.Pipe()
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+*target+*method, from)
	if err != nil {
		return nil, err
	}
	post.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}
	open := fields.Message(fieldOpen, append(fields.Message(fieldHeartbeat, fields.Number(fieldSeconds, quietSeconds)),
		fields.Number(fieldMost, uint64(inFlight))...))
	go func() { _, _ = to.Write(framed(append(fields.Number(fieldNumber, opening), open...))) }()
	response, err := c.transport.RoundTrip(post)
	if err != nil {
		return nil, err
	}
	s := &session{caller: c, say: to, hear: response.Body, room: make(chan struct{}, inFlight), began: map[uint64]time.Time{}}
	for range inFlight {
		s.room <- struct{}{}
	}
	if _, err := s.next(); err != nil { // "accepted": from here on the session stands
		return nil, fmt.Errorf("%w, grpc-status %s: %s", err, response.Trailer.Get("Grpc-Status"),
			response.Trailer.Get("Grpc-Message"))
	}
	return s, nil
}

// ask sends requests until then, one for every token.
func (s *session) ask(until time.Time, ended <-chan error) error {
	for number := uint64(opening + 1); time.Now().Before(until); number++ {
		select {
		case <-s.room:
		case err := <-ended:
			return fmt.Errorf("the session ended: %w", errors.Join(err, errors.New("requests were left")))
		}
		message := append(fields.Number(fieldNumber, number), fields.Message(fieldPlace, s.order())...)
		s.mu.Lock()
		s.began[number] = time.Now()
		s.mu.Unlock()
		if _, err := s.say.Write(framed(message)); err != nil {
			return err
		}
	}
	return nil
}

// listen takes answers in until the stream ends, which is well only when nothing is left to be answered.
func (s *session) listen() error {
	for {
		message, err := s.next()
		if errors.Is(err, io.EOF) && s.left() == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.answered(message); err != nil {
			return err
		}
	}
}

func (s *session) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.began)
}

func (s *session) answered(message []byte) error {
	var number uint64
	var placed, failed []byte
	err := fields.Walk(message, func(field int, value uint64, inner []byte) error {
		switch field {
		case fieldAnswers:
			number = value
		case fieldPlaced:
			placed = inner
		case fieldErr:
			failed = inner
		}
		return nil
	})
	if err != nil || number == 0 {
		return err // a heartbeat answers nothing
	}
	s.mu.Lock()
	began, asked := s.began[number]
	delete(s.began, number)
	s.mu.Unlock()
	switch {
	case !asked:
		return fmt.Errorf("request %d was not asked, or answered twice", number)
	case bytes.Contains(placed, []byte(*expect)):
		s.took = append(s.took, time.Since(began))
	case !s.noted(fmt.Errorf("the answer names no order at the exchange: %q", failed)):
		return errors.New("too many failures")
	}
	s.room <- struct{}{}
	return nil
}

func (s *session) next() ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(s.hear, head); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > answerMost || head[0] != 0 {
		return nil, errors.New("a message that is compressed or too long")
	}
	message := make([]byte, size)
	_, err := io.ReadFull(s.hear, message)
	return message, err
}
