package execsvc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestATokenNeverLeavesThisMachineInTheOpen(t *testing.T) {
	for _, row := range []struct {
		options Options
		refused bool
	}{
		{Options{Target: "10.1.2.3:50051", Token: "t", Plaintext: true}, true},
		{Options{Target: "gateway.internal:50051", Token: "t", Plaintext: true}, true},
		{Options{Target: "127.0.0.1.example.com:50051", Token: "t", Plaintext: true}, true},
		{Options{Target: "gateway.internal:50051", Token: "t"}, false},
		{Options{Target: "gateway.internal:50051", Plaintext: true}, false},
		{Options{Target: "127.0.0.1:50051", Token: "t"}, false},
		{Options{Target: "[::1]:50051", Token: "t"}, false},
		{Options{Target: "localhost:50051", Token: "t"}, false},
		{Options{Target: "unix:/run/execsvc.sock", Token: "t", Plaintext: true}, false},
		{Options{Token: "t"}, false},
	} {
		gateway, err := Connect(row.options)
		if (err != nil) != row.refused {
			t.Errorf("%+v: got %v, refused should be %v", row.options, err, row.refused)
		}
		if err == nil && gateway.Close() != nil {
			t.Error("an unused connection does not close")
		}
	}
}

func TestATokenIsNeverPrinted(t *testing.T) {
	options := Options{Target: "gateway:1", Token: "s3cret", TLS: &TLSFiles{CA: "ca.pem"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if said := fmt.Sprintf(verb, options); strings.Contains(said, "s3cret") || !strings.Contains(said, "ca.pem") {
			t.Errorf("%s: %s", verb, said)
		}
	}
}

func TestATokenComesFromOnePlaceOrNotAtAll(t *testing.T) {
	folder := t.TempDir()
	full, empty := filepath.Join(folder, "full"), filepath.Join(folder, "empty")
	for file, content := range map[string]string{full: "from-file\n", empty: " \n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		token, file, want string
		refused           bool
	}{
		{token: "from-env", want: "from-env"},
		{file: full, want: "from-file"},
		{},
		{token: "from-env", file: full, refused: true},
		{file: empty, refused: true},
		{file: filepath.Join(folder, "absent"), refused: true},
	} {
		t.Setenv("EXECSVC_TOKEN", row.token)
		t.Setenv("EXECSVC_TOKEN_FILE", row.file)
		options, err := FromEnv()
		if options.Token != row.want || (err != nil) != row.refused {
			t.Errorf("%+v: got %q, %v", row, options.Token, err)
		}
	}
}
