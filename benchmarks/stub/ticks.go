package main

import (
	"fmt"
	"time"
)

const idle = 100 * time.Millisecond // between two looks whether ticks are wanted

// tickOn has news of every subscribed ticker again and again, as often as the settings say. All of one moment go out in
// one write and carry its time, so that whoever reads them at last knows how old they are.
func (e *exchange) tickOn(s *stream) {
	due := time.Now()
	for number := 1; ; number++ {
		pause := idle
		if ticks := e.settings.Load().ticks; ticks > 0 {
			pause = time.Second / time.Duration(ticks)
			s.tickAll(number)
		}
		due = due.Add(pause)
		if late := time.Since(due); late > time.Second {
			due = time.Now() // it does not hurry after
		}
		select {
		case <-s.gone:
			return
		case <-time.After(time.Until(due)):
		}
	}
}

func (s *stream) tickAll(number int) {
	symbols := s.symbols.Load()
	if symbols == nil {
		return
	}
	now := time.Now()
	var together []byte
	for _, symbol := range *symbols {
		together = append(together, framed(frame{opText, []byte(tick(symbol, "update", number, now))})...)
	}
	s.send(frame{opTogether, together})
}

// tick is a row of the ticker channel; bid and ask move with the number.
func tick(symbol, kind string, number int, now time.Time) string {
	bid := 90_000 + number%1000
	return fmt.Sprintf(`{"channel":"ticker","type":%q,"data":[{"symbol":%q,"bid":%d.0,"bid_qty":1.25000000,"ask":%d.1,`+
		`"ask_qty":0.75000000,"last":%d.0,"volume":4083.67001100,"vwap":89706.7,"low":88868.3,"high":91631.0,`+
		`"change":-199.6,"change_pct":-0.22,"timestamp":%q}]}`,
		kind, symbol, bid, bid, bid, now.UTC().Format(timeLayout))
}
