package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/internal/vault"
)

// Options of Open. All but DSN are required as well: nothing has a silent default.
type Options struct {
	// DSN is "sqlite:///path/to/file.db" or a "postgres://" URL.
	DSN string
	// Vault is the "identity" vault; it seals the workspaces' data keys.
	Vault  *vault.Vault
	Clock  clock.PassiveClock
	Logger *slog.Logger
}

// Store is safe for concurrent use, also by several processes on one database.
type Store struct {
	dialect dialect
	// writer carries transactions that write; reader never does. With PostgreSQL they are one pool.
	writer, reader *sql.DB
	keys           *keyring
	clock          clock.PassiveClock
	logger         *slog.Logger
}

// Open connects, brings the schema up to date and returns the store. Errors never hold the DSN.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Vault == nil || o.Clock == nil || o.Logger == nil {
		return nil, errors.New("open store: Vault, Clock and Logger are required")
	}
	var d dialect
	switch {
	case strings.HasPrefix(o.DSN, "sqlite://"):
		d = sqliteDialect{path: strings.TrimPrefix(o.DSN, "sqlite://")}
	case strings.HasPrefix(o.DSN, "postgres://"), strings.HasPrefix(o.DSN, "postgresql://"):
		d = postgresDialect{dsn: o.DSN}
	default:
		return nil, errors.New("open store: the DSN starts with neither sqlite:// nor postgres://")
	}
	writer, reader, err := d.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open %s store: %w", d.name(), err)
	}
	s := &Store{
		dialect: d, writer: writer, reader: reader, keys: newKeyring(o.Vault), clock: o.Clock,
		logger: o.Logger.With("component", "store", "dialect", d.name()),
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate %s store: %w", d.name(), err), s.Close())
	}
	return s, nil
}

// Close waits for running queries and closes the database.
func (s *Store) Close() error {
	if s.reader == s.writer {
		return s.writer.Close()
	}
	// The reader first: SQLite folds its write-ahead log into the file when the last connection, the writer's, closes.
	return errors.Join(s.reader.Close(), s.writer.Close())
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.reader.PingContext(ctx); err != nil {
		return fmt.Errorf("ping store: %w", err)
	}
	return nil
}
