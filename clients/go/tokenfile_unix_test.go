//go:build unix

package execsvc

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const letsOthersIn = " lets others in; wanted 0400 or 0600 (0440 when root owns it)"

// refusalOf is what FromEnv says to a token file of that content and mode; empty: it is read.
func refusalOf(t *testing.T, content []byte, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EXECSVC_TOKEN_FILE", file)
	options, err := FromEnv()
	if err == nil {
		return ""
	}
	if options.Token != "" || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a refusal that gives the token away: %v", err)
	}
	said, ours := strings.CutPrefix(err.Error(), "EXECSVC_TOKEN_FILE: "+file+": ")
	if !ours {
		t.Errorf("which file? %v", err)
	}
	return said
}

func TestATokenFileThatOthersMayReadIsRefused(t *testing.T) {
	for mode, want := range map[os.FileMode]string{
		0o600: "",
		0o400: "",
		0o644: "mode 0644" + letsOthersIn,
		0o640: "mode 0640" + letsOthersIn,
		0o604: "mode 0604" + letsOthersIn,
		0o660: "mode 0660" + letsOthersIn,
		0o700: "mode 0700" + letsOthersIn,
	} {
		if said := refusalOf(t, []byte("s3cret\n"), mode); said != want {
			t.Errorf("%04o: got %q, want %q", mode, said, want)
		}
	}
}

func TestATokenFileIsOursOrRoots(t *testing.T) {
	for _, row := range []struct {
		mode, owner uint32
		want        string
	}{
		{0o600, 1000, ""},
		{0o400, 0, ""},
		{0o600, 1001, "owned by somebody else"},
		{0o440, 0, ""},
		{0o440, 1000, "mode 0440" + letsOthersIn},
		{0o4600, 1000, "mode 4600" + letsOthersIn},
	} {
		if said := rightsOf(row.mode, row.owner, 1000); said != row.want {
			t.Errorf("%04o of %d: got %q, want %q", row.mode, row.owner, said, row.want)
		}
	}
}

func TestATokenFileThatHoldsSomethingElseIsRefused(t *testing.T) {
	for want, content := range map[string][]byte{
		"":                        bytes.Repeat([]byte("x"), 65_536),
		"longer than 65536 bytes": bytes.Repeat([]byte("x"), 65_537),
		"not UTF-8 text":          []byte("s3cret\xff"),
		"empty":                   []byte(" \n"),
	} {
		if said := refusalOf(t, content, 0o600); said != want {
			t.Errorf("got %q, want %q", said, want)
		}
	}
}

func TestWhatIsNoFileIsRefusedWithoutWaiting(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, t.TempDir()} {
		if _, err := readToken(path); err == nil || !strings.HasSuffix(err.Error(), ": not a regular file") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}
