package bus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// authority signs the certificate of a server, and is known to nobody who is not given its file.
func authority(t *testing.T) (caFile string, of *tls.Config) {
	t.Helper()
	issue := func(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		if by == nil {
			parent, by = template, key
		}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
		must(t, err)
		made, err := x509.ParseCertificate(der)
		must(t, err)
		return made, key
	}
	ca, caKey := issue(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "private"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	cert, key := issue(&x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	caFile = filepath.Join(t.TempDir(), "ca.crt")
	must(t, os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}), 0o600))
	return caFile, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// external starts a NATS server that is not ours, and returns its host and port.
func external(t *testing.T, opts *server.Options) string {
	t.Helper()
	opts.Host, opts.Port, opts.JetStream, opts.StoreDir, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, true, t.TempDir(), true, true
	s, err := server.NewServer(opts)
	must(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(readyTimeout) {
		t.Fatal("the server does not start")
	}
	return s.Addr().String()
}

// reaches opens a bus, has an event acknowledged, takes it, and watches a bucket.
func reaches(t *testing.T, opts Options) error {
	t.Helper()
	opts.Region, opts.StreamBytes, opts.Logger = "eu", 1<<20, slog.New(slog.DiscardHandler)
	b, err := Open(t.Context(), opts)
	if err != nil {
		return err
	}
	defer b.Close()
	if _, err = b.PublishLive(t.Context(), message(rand.Text(), "cus_1")); err != nil {
		return err
	}
	if _, err := b.Routes().Put(t.Context(), RouteKey("acct_1", true), Route{}); err != nil {
		return err
	}
	consumed, done := context.WithTimeout(t.Context(), 20*time.Second)
	var acked error
	err = b.ConsumeSignals(consumed, ConsumeOptions{}, func(_ context.Context, batch []Delivery) { acked = batch[0].Ack(); done() })
	if !errors.Is(err, context.Canceled) || acked != nil {
		return fmt.Errorf("consume: %w", errors.Join(err, acked))
	}
	watched, done := context.WithTimeout(t.Context(), 20*time.Second)
	if err := b.Routes().Watch(watched, func(string, *Route) { done() }); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

func TestAServerOfAPrivateAuthority(t *testing.T) {
	caFile, config := authority(t)
	stranger, _ := authority(t)
	at := external(t, &server.Options{TLSConfig: config, TLSTimeout: 5, Authorization: "t"})
	for _, scheme := range []string{"tls://", "nats://"} {
		if err := reaches(t, Options{URL: scheme + at, Token: "t", CAFile: caFile}); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	for name, opts := range map[string]Options{
		"an authority that nobody knows": {URL: "tls://" + at, Token: "t"},
		"another authority":              {URL: "tls://" + at, Token: "t", CAFile: stranger},
		"another token":                  {URL: "tls://" + at, Token: "x", CAFile: caFile},
	} {
		if err := reaches(t, opts); err == nil {
			t.Errorf("%s: it connects", name)
		}
	}
}

// TestNoTokenIsSentInTheClear to a server without TLS, which may be somebody between the two.
func TestNoTokenIsSentInTheClear(t *testing.T) {
	caFile, _ := authority(t)
	at := external(t, &server.Options{Authorization: "t"})
	if err := reaches(t, Options{URL: "tls://" + at, Token: "t"}); err == nil {
		t.Error("tls:// connects without TLS")
	}
	if err := reaches(t, Options{URL: "nats://" + at, Token: "t", CAFile: caFile}); err == nil {
		t.Error("with an authority it connects without TLS")
	}
}

// TestCredentialsOfAnAccount is what a NATS that many share asks for.
func TestCredentialsOfAnAccount(t *testing.T) {
	pair := func(make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		keys, err := make()
		must(t, err)
		public, err := keys.PublicKey()
		must(t, err)
		return keys, public
	}
	operator, operatorKey := pair(nkeys.CreateOperator)
	_, systemKey := pair(nkeys.CreateAccount)
	account, accountKey := pair(nkeys.CreateAccount)
	user, userKey := pair(nkeys.CreateUser)
	resolver := &server.MemAccResolver{}
	for _, key := range []string{systemKey, accountKey} {
		claims := jwt.NewAccountClaims(key)
		if key == accountKey {
			claims.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
		}
		text, err := claims.Encode(operator)
		must(t, err)
		must(t, resolver.Store(key, text))
	}
	claims := jwt.NewUserClaims(userKey)
	claims.Pub.Allow.Add("$JS.>", "$KV.>", "kustiq.>") // as docs/roles.md says
	claims.Sub.Allow.Add("_INBOX.>")
	token, err := claims.Encode(account)
	must(t, err)
	seed, err := user.Seed()
	must(t, err)
	creds, err := jwt.FormatUserConfig(token, seed)
	must(t, err)
	credsFile := filepath.Join(t.TempDir(), "user.creds")
	must(t, os.WriteFile(credsFile, creds, 0o600))

	caFile, config := authority(t)
	at := external(t, &server.Options{
		TLSConfig: config, TLSTimeout: 5, TrustedKeys: []string{operatorKey}, SystemAccount: systemKey, AccountResolver: resolver,
	})
	if err := reaches(t, Options{URL: "tls://" + at, CredsFile: credsFile, CAFile: caFile}); err != nil {
		t.Error(err)
	}
	if err := reaches(t, Options{URL: "tls://" + at, Token: "t", CAFile: caFile}); err == nil {
		t.Error("a token was let in")
	}
}
