package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/postgres/*.sql
var postgresMigrations embed.FS

const postgresConns = 16

type postgresDialect struct{ dsn string }

func (postgresDialect) name() string               { return "postgres" }
func (postgresDialect) rebind(query string) string { return numbered(query) }
func (postgresDialect) locks() bool                { return true }

func (postgresDialect) snapshot() *sql.TxOptions {
	return &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
}

func (d postgresDialect) open(ctx context.Context) (writer, reader *sql.DB, err error) {
	cfg, err := pgx.ParseConfig(d.dsn)
	if err != nil {
		// The cause quotes the connection string.
		return nil, nil, errors.New("the connection string cannot be parsed")
	}
	// All queries of pages are short. The planner takes a few for long, and would compile them for longer than they run.
	db := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `SET jit = off`)
		return err
	}))
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(postgresConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("connect: %w", err), db.Close())
	}
	return db, db, nil
}

// goose takes an advisory lock, since several engines may start on one database.
func (postgresDialect) goose() (goose.Dialect, fs.FS, []goose.ProviderOption, error) {
	sub, err := fs.Sub(postgresMigrations, "migrations/postgres")
	if err != nil {
		return "", nil, nil, err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return "", nil, nil, err
	}
	return goose.DialectPostgres, sub, []goose.ProviderOption{goose.WithSessionLocker(locker)}, nil
}

// retryable is true for serialization failures and deadlocks, of which one side always goes on.
func (postgresDialect) retryable(err error) bool {
	code := postgresCode(err)
	return code == "40001" || code == "40P01"
}

// unavailable is true without a connection, and for the classes: 08 connection, 25006 read-only, 40 lost against
// others, 53 resources, 57 operator (also shutdown), 58 system.
func (postgresDialect) unavailable(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || pgconn.SafeToRetry(err) {
		return true
	}
	code := postgresCode(err)
	if len(code) < 2 {
		return false
	}
	switch code[:2] {
	case "08", "40", "53", "57", "58":
		return true
	}
	return code == "25006"
}

func postgresCode(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

func (postgresDialect) tokenIndex() string {
	return `string_to_array(tokens, ' ') @> string_to_array(?, ' ')`
}

// clean replaces the server's message, which quotes values of the classes 22 (data) and 23 (integrity).
func (postgresDialect) clean(err error) error {
	code := postgresCode(err)
	if !strings.HasPrefix(code, "22") && !strings.HasPrefix(code, "23") {
		return err
	}
	return hidden{text: "the database refuses a value (SQLSTATE " + code + ")", cause: err}
}

// scrub lets the space of what was removed be reused: a destroyed key, or one account's sealed identities. The server's
// own log and its backups keep both until they expire; without the "identity" keyset they open nothing.
func (postgresDialect) scrub(ctx context.Context, writer *sql.DB, tables ...string) error {
	_, err := writer.ExecContext(ctx, "VACUUM "+strings.Join(tables, ", "))
	return err
}
