package execsvc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	v1 "github.com/execsvc/execsvc/clients/go/execsvc/v1"
)

// authority signs certificates for the tests; file is what those who believe it are given.
type authority struct {
	folder, file string
	cert         *x509.Certificate
	key          *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	made := &authority{folder: t.TempDir()}
	made.file, _ = made.issue(t, "authority")
	return made
}

// issue writes a certificate and its key; the first one signs itself and all others.
func (a *authority) issue(t *testing.T, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  a.cert == nil,
		BasicConstraintsValid: true,
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = form, key
	}
	der, err := x509.CreateCertificate(rand.Reader, form, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert == nil {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		a.key = key
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return a.write(t, name+".pem", "CERTIFICATE", der), a.write(t, name+".key", "EC PRIVATE KEY", secret)
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(a.folder, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// door is a gateway that says who came: the caller's token and the name of its certificate.
type door struct {
	v1.UnimplementedAdminServiceServer
}

func (door) GetServerInfo(ctx context.Context, _ *v1.GetServerInfoRequest) (*v1.GetServerInfoResponse, error) {
	answer := &v1.GetServerInfoResponse{}
	if headers, ok := metadata.FromIncomingContext(ctx); ok {
		answer.Caller = headers.Get("authorization")[0]
	}
	if who, ok := peer.FromContext(ctx); ok {
		if shown := who.AuthInfo.(credentials.TLSInfo).State.PeerCertificates; len(shown) > 0 {
			answer.Venue = shown[0].Subject.CommonName
		}
	}
	return answer, nil
}

// serve opens a TLS door that demands a certificate of the authority where asks is true.
func serve(t *testing.T, signer *authority, asks bool) string {
	t.Helper()
	certFile, keyFile := signer.issue(t, "gateway")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if asks {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AddCert(signer.cert)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	v1.RegisterAdminServiceServer(server, door{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func ask(t *testing.T, options Options) (*v1.GetServerInfoResponse, error) {
	t.Helper()
	options.Timeout = 3 * time.Second
	gateway, err := Connect(options)
	if err != nil {
		t.Fatal(err)
	}
	defer gateway.Close()
	return gateway.Admin.GetServerInfo(context.Background(), &v1.GetServerInfoRequest{})
}

func TestTheAuthorityOfTheFileIsBelievedAndNoOther(t *testing.T) {
	ours, stranger := newAuthority(t), newAuthority(t)
	target := serve(t, ours, false)
	answer, err := ask(t, Options{Target: target, Token: "xs_1_a", TLS: &TLSFiles{CA: ours.file}})
	if err != nil || answer.GetCaller() != "Bearer xs_1_a" {
		t.Errorf("got %v, %v: the token should have arrived over TLS", answer, err)
	}
	for name, files := range map[string]TLSFiles{"a stranger": {CA: stranger.file}, "the system's roots": {}} {
		if answer, err := ask(t, Options{Target: target, Token: "xs_1_a", TLS: &files}); err == nil {
			t.Errorf("%s: got %v, the handshake should have failed", name, answer)
		}
	}
}

func TestTheClientsCertificateIsShown(t *testing.T) {
	ours := newAuthority(t)
	target := serve(t, ours, true)
	cert, key := ours.issue(t, "bot-7")
	answer, err := ask(t, Options{Target: target, Token: "t", TLS: &TLSFiles{CA: ours.file, Cert: cert, Key: key}})
	if err != nil || answer.GetVenue() != "bot-7" {
		t.Errorf("got %v, %v: the gateway should have seen bot-7", answer, err)
	}
	if answer, err := ask(t, Options{Target: target, Token: "t", TLS: &TLSFiles{CA: ours.file}}); err == nil {
		t.Errorf("got %v without a certificate", answer)
	}
}

func TestFilesThatAreNoCertificatesAreRefusedAtOnce(t *testing.T) {
	ours := newAuthority(t)
	cert, key := ours.issue(t, "bot")
	for name, options := range map[string]Options{
		"a key as authority": {TLS: &TLSFiles{CA: key}},
		"no such file":       {TLS: &TLSFiles{CA: filepath.Join(ours.folder, "absent")}},
		"key and cert mixed": {TLS: &TLSFiles{Cert: key, Key: cert}},
		"half a pair":        {TLS: &TLSFiles{Cert: cert}},
		"TLS and plaintext":  {TLS: &TLSFiles{CA: ours.file}, Plaintext: true},
	} {
		if _, err := Connect(options); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestTheEnvironmentNamesTheTLSFiles(t *testing.T) {
	for _, row := range []struct {
		target, ca, cert, key string
		want                  *TLSFiles
		refused               bool
	}{
		{},
		{ca: "ca.pem", want: &TLSFiles{CA: "ca.pem"}},
		{ca: "public", want: &TLSFiles{}},
		{cert: "c.pem", key: "k.pem", want: &TLSFiles{Cert: "c.pem", Key: "k.pem"}},
		{target: "unix:/run/x.sock", ca: "ca.pem"},
		{cert: "c.pem", refused: true},
		{key: "k.pem", refused: true},
	} {
		t.Setenv("EXECSVC_TARGET", row.target)
		t.Setenv("EXECSVC_TLS_CA_FILE", row.ca)
		t.Setenv("EXECSVC_TLS_CLIENT_CERT_FILE", row.cert)
		t.Setenv("EXECSVC_TLS_CLIENT_KEY_FILE", row.key)
		options, err := FromEnv()
		same := (options.TLS == nil) == (row.want == nil) && (row.want == nil || *options.TLS == *row.want)
		if !same || (err != nil) != row.refused {
			t.Errorf("%+v: got %+v, %v", row, options.TLS, err)
		}
	}
}
