// Package proc reads what Linux tells of processes.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

const clockTicks = 100 // of /proc/PID/stat per second, on every Linux there is today

// CPU gives the seconds of user and system time of the server's process, and of this one.
func CPU(pid int) (server, own float64, err error) {
	if server, err = cpuOf(strconv.Itoa(pid)); err != nil {
		return 0, 0, err
	}
	own, err = cpuOf("self")
	return server, own, err
}

func cpuOf(process string) (float64, error) {
	text, err := os.ReadFile("/proc/" + process + "/stat")
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; utime and stime are the 12th and 13th words after it.
	_, after, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')'):]), " ")
	words := strings.Fields(after)
	if len(words) < 13 {
		return 0, fmt.Errorf("/proc/%s/stat is not as expected", process)
	}
	user, err := strconv.Atoi(words[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(words[12])
	return float64(user+system) / clockTicks, err
}
