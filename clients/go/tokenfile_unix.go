//go:build unix

package execsvc

import (
	"fmt"
	"os"
	"syscall"
)

// Waits for no pipe, and takes no terminal.
const openFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY

func rightsProblem(status os.FileInfo) string {
	stat, known := status.Sys().(*syscall.Stat_t)
	if !known {
		return "nothing says who may read it"
	}
	return rightsOf(uint32(stat.Mode)&0o7777, stat.Uid, uint32(os.Geteuid()))
}

// rightsOf says what is wrong with a file of that mode and owner, for us.
func rightsOf(mode, owner, us uint32) string {
	switch {
	case mode == 0o400 || mode == 0o600:
		if owner == us || owner == 0 {
			return ""
		}
		return "owned by somebody else"
	case mode == 0o440 && owner == 0:
		return ""
	}
	return fmt.Sprintf("mode %04o lets others in; wanted 0400 or 0600 (0440 when root owns it)", mode)
}
