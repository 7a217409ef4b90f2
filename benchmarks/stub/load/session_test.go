package main

import (
	"testing"
	"time"

	"github.com/execsvc/execsvc/benchmarks/stub/fields"
)

func waiting(numbers ...uint64) *session {
	s := &session{caller: &caller{}, room: make(chan struct{}, 8), began: map[uint64]time.Time{}}
	for _, number := range numbers {
		s.began[number] = time.Now()
	}
	return s
}

func answer(number uint64, field int, text string) []byte {
	return append(fields.Number(fieldAnswers, number), fields.Message(field, []byte(text))...)
}

// Only an order of the exchange counts as placed; an error or a doubt is a failure, and both make room.
func TestAnswers(t *testing.T) {
	s := waiting(2, 3, 4)
	for _, message := range [][]byte{
		answer(3, fieldPlaced, "order OBENCH-1"), answer(2, fieldErr, "refused"), answer(4, fieldPlaced, "in doubt"),
		fields.Message(10, nil), // a heartbeat
	} {
		if err := s.answered(message); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.took) != 1 || s.failed != 2 || len(s.room) != 3 || s.left() != 0 {
		t.Errorf("1 of 3 is placed, counted %d, %d failed, room for %d", len(s.took), s.failed, len(s.room))
	}
}

// An answer to nothing ends the run.
func TestAnsweredTwice(t *testing.T) {
	s := waiting(2)
	if err := s.answered(answer(2, fieldPlaced, "OBENCH-1")); err != nil {
		t.Fatal(err)
	}
	if s.answered(answer(2, fieldPlaced, "OBENCH-1")) == nil {
		t.Error("an order was answered twice and nobody said so")
	}
}
