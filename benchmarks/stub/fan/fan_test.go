package main

import (
	"slices"
	"testing"

	"github.com/execsvc/execsvc/benchmarks/stub/fields"
)

func delimited(field int, parts ...[]byte) []byte {
	return fields.Message(field, slices.Concat(parts...))
}

func ticker(seconds, nanos uint64) []byte {
	stamp := delimited(fieldVenue, fields.Number(fieldSeconds, seconds), fields.Number(fieldNanos, nanos))
	return delimited(fieldTicker, delimited(1, []byte("BTC/USD")), delimited(fieldTimes, stamp))
}

// Tickers of updates are counted, with what was folded into them and the newest of their times.
func TestNote(t *testing.T) {
	var got reader
	meta := delimited(fieldMeta, fields.Number(1, 300), fields.Number(fieldConflated, 7))
	update := delimited(fieldUpdate, ticker(5, 1), ticker(6, 2), ticker(4, 3))
	snapshot := delimited(3, ticker(9, 9))
	for _, message := range [][]byte{append(meta, update...), append(meta, snapshot...)} {
		if err := got.note(message, 11); err != nil {
			t.Fatal(err)
		}
	}
	if got.messages != 2 || got.ticks != 3 || got.folded != 14 || len(got.news) != 1 || got.news[0] != (arrival{11, 6e9 + 2}) {
		t.Errorf("counted %+v", got)
	}
}

// What is cut short is an error, never a smaller count.
func TestCutShort(t *testing.T) {
	whole := delimited(fieldUpdate, ticker(5, 1))
	for size := 1; size < len(whole); size++ {
		var got reader
		if got.note(whole[:size], 1) == nil {
			t.Errorf("%d of %d bytes were taken for a message", size, len(whole))
		}
	}
}

// The last reader counts, by the first message that is as new; who never had one leaves the moment open.
func TestLastOf(t *testing.T) {
	readers := []reader{
		{news: []arrival{{10, 5}, {20, 7}}},
		{news: []arrival{{11, 5}, {90, 9}}},
	}
	for moment, want := range map[int64]int64{5: 11, 7: 90} {
		if got, all := lastOf(readers, moment); !all || got != want {
			t.Errorf("of %d the last came at %d, not %d", moment, want, got)
		}
	}
	if _, all := lastOf(readers, 9); all {
		t.Error("one reader never had it")
	}
}
