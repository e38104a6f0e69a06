// Package bus owns how Kustiq's roles talk to one another: JetStream streams for signals and tasks, key-value buckets for
// routes, health and progress, and the embedded server that is used until a NATS cluster takes over. It does not know
// what signals mean.
package bus

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ServerOptions of an embedded NATS server with JetStream.
type ServerOptions struct {
	// Dir keeps the streams. It must survive restarts.
	Dir string
	// EncryptionKey, 32 bytes, encrypts every stream and bucket file (AES).
	EncryptionKey []byte
	// Listen is host:port for clients in other processes; empty serves this process only.
	Listen string
	// Token that clients on Listen must present, and members of the cluster each other.
	Token string
	// Cluster that this server is a member of; nil for one that stands alone.
	Cluster *ClusterOptions
	Logger  *slog.Logger
}

// Server is a running embedded NATS server.
type Server struct {
	nats  *server.Server
	token string
}

const readyTimeout = 20 * time.Second

// StartServer starts an embedded server and returns when it accepts connections. Every write is synced to disk before it
// is acknowledged.
func StartServer(ctx context.Context, opts ServerOptions) (*Server, error) {
	natsOptions, err := serverOptions(opts)
	if err != nil {
		return nil, err
	}
	if err := checkKey(opts.Dir, opts.EncryptionKey); err != nil {
		return nil, err
	}
	s, err := server.NewServer(natsOptions)
	if err != nil {
		return nil, fmt.Errorf("bus: configure server: %w", err)
	}
	s.SetLoggerV2(serverLog{opts.Logger}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(readyTimeout) {
		s.Shutdown()
		return nil, errors.New("bus: the server did not become ready: is its folder writable and not used by another process?")
	}
	if err := ctx.Err(); err != nil {
		s.Shutdown()
		return nil, err
	}
	return &Server{nats: s, token: opts.Token}, nil
}

// checkKey refuses a key other than the one the folder was first used with: the server itself would start without the
// streams that it cannot decrypt, and new ones would take their place.
func checkKey(dir string, key []byte) error {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte("kustiq bus encryption key check"))
	want, path := mac.Sum(nil), filepath.Join(dir, "key.check")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("bus: make folder: %w", err)
	}
	got, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := os.WriteFile(path, want, 0o600); err != nil {
			return fmt.Errorf("bus: write key check: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("bus: read key check: %w", err)
	case !hmac.Equal(got, want):
		return errors.New("bus: the encryption key is not the one that this folder was made with: restore the key, or empty the folder and lose what was not processed")
	}
	return nil
}

func serverOptions(opts ServerOptions) (*server.Options, error) {
	switch {
	case opts.Dir == "":
		return nil, errors.New("bus: the server needs a folder")
	case len(opts.EncryptionKey) != 32:
		return nil, errors.New("bus: the encryption key must have 32 bytes")
	case opts.Logger == nil:
		return nil, errors.New("bus: the server needs a logger")
	case opts.Listen != "" && opts.Token == "":
		return nil, errors.New("bus: a listening server needs a token")
	}
	natsOptions := &server.Options{
		ServerName:      "kustiq-bus",
		JetStream:       true,
		StoreDir:        opts.Dir,
		JetStreamKey:    hex.EncodeToString(opts.EncryptionKey),
		JetStreamCipher: server.AES,
		SyncAlways:      true,
		NoSigs:          true,
		DontListen:      opts.Listen == "",
		Authorization:   opts.Token,
	}
	if opts.Listen != "" {
		var err error
		if natsOptions.Host, natsOptions.Port, err = splitAddress(opts.Listen); err != nil {
			return nil, fmt.Errorf("bus: listen address: %w", err)
		}
	}
	if opts.Cluster != nil {
		return natsOptions, opts.Cluster.apply(natsOptions, opts.Token)
	}
	return natsOptions, nil
}

// splitAddress reads host:port; port 0 takes a free one.
func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(text); err != nil {
		return "", 0, err
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// ClientURL is the address for other processes, without the token; empty when the server only serves this process.
func (s *Server) ClientURL() string {
	if s.nats.Addr() == nil {
		return ""
	}
	return s.nats.ClientURL()
}

// Close stops the server after its files are flushed.
func (s *Server) Close() error {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	return nil
}

func (s *Server) connect(options ...nats.Option) (*nats.Conn, error) {
	return nats.Connect("", append(options, nats.InProcessServer(s.nats), nats.Token(s.token))...)
}

// serverLog passes what matters of the server's log on.
type serverLog struct{ *slog.Logger }

func (l serverLog) Noticef(format string, v ...any) {
	l.Debug("nats", "text", fmt.Sprintf(format, v...))
}
func (l serverLog) Warnf(format string, v ...any) { l.Warn("nats", "text", fmt.Sprintf(format, v...)) }
func (l serverLog) Fatalf(format string, v ...any) {
	l.Error("nats", "text", fmt.Sprintf(format, v...))
}
func (l serverLog) Errorf(format string, v ...any) {
	l.Error("nats", "text", fmt.Sprintf(format, v...))
}
func (l serverLog) Debugf(string, ...any) {}
func (l serverLog) Tracef(string, ...any) {}
