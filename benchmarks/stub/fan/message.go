package main

import "github.com/execsvc/execsvc/benchmarks/stub/fields"

// Field numbers of SubscribeTickersResponse and what is in it (proto/execsvc/v1).
const (
	fieldMeta, fieldUpdate   = 1, 4
	fieldConflated           = 3
	fieldTicker              = 1
	fieldTimes, fieldVenue   = 12, 1
	fieldSeconds, fieldNanos = 1, 2
)

// note takes one message in. Only updates count as ticks.
func (r *reader) note(message []byte, now int64) error {
	r.messages++
	var newest int64
	err := fields.Walk(message, func(field int, value uint64, inner []byte) error {
		switch field {
		case fieldMeta:
			return fields.Walk(inner, func(field int, value uint64, _ []byte) error {
				if field == fieldConflated {
					r.folded += int(value)
				}
				return nil
			})
		case fieldUpdate:
			return fields.Walk(inner, func(field int, _ uint64, ticker []byte) error {
				if field != fieldTicker {
					return nil
				}
				r.ticks++
				venue, err := venueTime(ticker)
				newest = max(newest, venue)
				return err
			})
		}
		return nil
	})
	if newest != 0 {
		r.news = append(r.news, arrival{now, newest})
	}
	return err
}

// venueTime gives the exchange's time of a ticker in nanoseconds, 0 where it has none.
func venueTime(ticker []byte) (int64, error) {
	var at int64
	err := fields.Walk(ticker, func(field int, _ uint64, times []byte) error {
		if field != fieldTimes {
			return nil
		}
		return fields.Walk(times, func(field int, _ uint64, stamp []byte) error {
			if field != fieldVenue {
				return nil
			}
			return fields.Walk(stamp, func(field int, value uint64, _ []byte) error {
				switch field {
				case fieldSeconds:
					at += int64(value) * 1e9
				case fieldNanos:
					at += int64(value)
				}
				return nil
			})
		})
	})
	return at, err
}
