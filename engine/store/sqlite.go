package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// sqliteReaders is enough for pages and scheduler look-ups; each reader holds a page cache of its own.
const sqliteReaders = 4

type sqliteDialect struct{ path string }

func (sqliteDialect) name() string               { return "sqlite" }
func (sqliteDialect) rebind(query string) string { return query }

// locks is false: BEGIN IMMEDIATE admits one writer at a time, over all processes.
func (sqliteDialect) locks() bool { return false }

// snapshot needs no isolation level: with a write-ahead log every read transaction is one.
func (sqliteDialect) snapshot() *sql.TxOptions { return &sql.TxOptions{ReadOnly: true} }

func (d sqliteDialect) open(ctx context.Context) (writer, reader *sql.DB, err error) {
	if d.path == "" {
		return nil, nil, errors.New("the DSN names no file")
	}
	// The file is created here so that it is private; SQLite gives its log files the same permissions.
	if err := os.MkdirAll(filepath.Dir(d.path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("create the directory: %w", err)
	}
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("create the file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, nil, fmt.Errorf("create the file: %w", err)
	}
	if writer, err = sql.Open("sqlite", d.uri(false)); err != nil {
		return nil, nil, err
	}
	writer.SetMaxOpenConns(1)
	if err := firstPing(ctx, writer); err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	if reader, err = sql.Open("sqlite", d.uri(true)); err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(sqliteReaders)
	reader.SetMaxIdleConns(sqliteReaders)
	return writer, reader, nil
}

const (
	firstPings    = 200
	firstPingRest = 10 * time.Millisecond
)

// firstPing turns a new file's write-ahead log on. Of several processes that do so at once one succeeds, and SQLite refuses
// the others without regard to busy_timeout. It is a lock of the machine that is waited for, so by the machine's clock.
func firstPing(ctx context.Context, writer *sql.DB) error {
	for try := 1; ; try++ {
		err := writer.PingContext(ctx)
		if sqliteCode(err) != sqlite3.SQLITE_BUSY || try == firstPings {
			return err
		}
		rested := make(chan struct{})
		time.AfterFunc(firstPingRest, func() { close(rested) })
		select {
		case <-rested:
		case <-ctx.Done():
			return err
		}
	}
}

// uri sets what each connection needs. synchronous=FULL makes every commit reach the disk, because the bus forgets a
// message once its transaction is acknowledged. secure_delete overwrites what an erasure removes.
func (d sqliteDialect) uri(readOnly bool) string {
	q := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "secure_delete(ON)",
		"cache_size(-65536)", "temp_store(MEMORY)", "wal_autocheckpoint(4000)",
	}}
	if readOnly {
		q["_pragma"] = []string{"busy_timeout(10000)", "query_only(ON)", "cache_size(-16384)", "temp_store(MEMORY)"}
	} else {
		q.Set("_txlock", "immediate")
	}
	return "file:" + (&url.URL{Path: d.path}).EscapedPath() + "?" + q.Encode()
}

func (sqliteDialect) goose() (goose.Dialect, fs.FS, []goose.ProviderOption, error) {
	sub, err := fs.Sub(sqliteMigrations, "migrations/sqlite")
	return goose.DialectSQLite3, sub, nil, err
}

// retryable is true when another process kept the write lock for longer than busy_timeout.
func (sqliteDialect) retryable(err error) bool { return sqliteCode(err) == sqlite3.SQLITE_BUSY }

func (sqliteDialect) unavailable(err error) bool {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM:
		return true
	}
	return errors.Is(err, sql.ErrConnDone)
}

// sqliteCode returns the primary result code, 0 when err is none of SQLite's.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// tokenIndex is none: SQLite walks its one file, and a row for each token would make each new customer costly to write.
func (sqliteDialect) tokenIndex() string { return "" }

// clean has nothing to do: SQLite names tables and constraints, never values.
func (sqliteDialect) clean(err error) error { return err }

// scrub empties the write-ahead log, which still holds the pages as they were before the erasure.
func (sqliteDialect) scrub(ctx context.Context, writer *sql.DB, _ ...string) error {
	_, err := writer.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}
