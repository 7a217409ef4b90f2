package execsvc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc/credentials"
)

// The word of EXECSVC_TLS_CA_FILE for TLS with the system's roots.
const public = "public"

// TLSFiles name PEM files. Empty ones: the system's roots are believed, and no certificate is shown.
type TLSFiles struct {
	CA   string // the authorities to believe, and no others
	Cert string // this client's certificate, for a gateway that asks (mTLS)
	Key  string // its private key
}

// tlsFromEnv reads EXECSVC_TLS_CA_FILE, EXECSVC_TLS_CLIENT_CERT_FILE and EXECSVC_TLS_CLIENT_KEY_FILE; without any of
// them, and for a unix socket, it gives nil. It fails on half a pair.
func tlsFromEnv(target string) (*TLSFiles, error) {
	files := TLSFiles{
		CA:   os.Getenv("EXECSVC_TLS_CA_FILE"),
		Cert: os.Getenv("EXECSVC_TLS_CLIENT_CERT_FILE"),
		Key:  os.Getenv("EXECSVC_TLS_CLIENT_KEY_FILE"),
	}
	if files == (TLSFiles{}) || strings.HasPrefix(target, "unix:") {
		return nil, nil
	}
	if (files.Cert == "") != (files.Key == "") {
		return nil, errors.New("EXECSVC_TLS_CLIENT_CERT_FILE and EXECSVC_TLS_CLIENT_KEY_FILE go together: set both or neither")
	}
	if files.CA == public {
		files.CA = ""
	}
	return &files, nil
}

// credentials reads the files. It fails on one that cannot be read or holds something else.
func (f TLSFiles) credentials() (credentials.TransportCredentials, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		content, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("%s: no certificate in PEM form is in this file", f.CA)
		}
	}
	if f.Cert != "" || f.Key != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config), nil
}
