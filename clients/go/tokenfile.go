package execsvc

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

const tokenBytesMax = 64 << 10

// readToken gives what a token file holds, without blanks around it. The rule is the gateway's for its own secrets, in the
// same words: a token that others may read is theirs too. It fails on a file that cannot be read, is empty or no text, or is
// not its owner's alone: 0400 or 0600 and ours or root's, or 0440 and root's, as systemd and Kubernetes can mount secrets.
func readToken(path string) (string, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return "", fmt.Errorf("EXECSVC_TOKEN_FILE: %w", err)
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("EXECSVC_TOKEN_FILE: %w", err)
	}
	var raw []byte
	problem := problemOf(status)
	if problem == "" {
		if raw, err = io.ReadAll(io.LimitReader(file, tokenBytesMax+1)); err != nil {
			return "", fmt.Errorf("EXECSVC_TOKEN_FILE: %w", err)
		}
		problem = problemIn(raw)
	}
	if problem != "" {
		return "", fmt.Errorf("EXECSVC_TOKEN_FILE: %s: %s", path, problem)
	}
	return strings.TrimSpace(string(raw)), nil
}

func problemOf(status os.FileInfo) string {
	if !status.Mode().IsRegular() {
		return "not a regular file"
	}
	return rightsProblem(status)
}

// problemIn never quotes what it was given.
func problemIn(raw []byte) string {
	switch {
	case len(raw) > tokenBytesMax:
		return fmt.Sprintf("longer than %d bytes", tokenBytesMax)
	case !utf8.Valid(raw):
		return "not UTF-8 text"
	case strings.TrimSpace(string(raw)) == "":
		return "empty"
	}
	return ""
}
