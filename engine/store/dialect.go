package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// dialect is everything in which the two databases differ, beside their migrations.
type dialect interface {
	name() string
	// open returns the pool that writes and the pool that reads.
	open(ctx context.Context) (writer, reader *sql.DB, err error)
	// goose returns what the migration provider needs.
	goose() (goose.Dialect, fs.FS, []goose.ProviderOption, error)
	// rebind turns ? into the dialect's placeholder.
	rebind(query string) string
	// snapshot are the options of a transaction whose reads all see the same instant.
	snapshot() *sql.TxOptions
	// locks says that rows read in order to be written back must be locked: other writers may run at the same time.
	locks() bool
	// retryable says that a transaction lost against another one and may simply run again.
	retryable(err error) bool
	// unavailable says that the database, not the statement, is the reason.
	unavailable(err error) bool
	// tokenIndex is a condition of search_tokens that an index fulfils: one argument, tokens with spaces between them, all of
	// which the customer must have. Empty where there is no such index.
	tokenIndex() string
	// clean hides what the database's own words could quote of a row. errors.As still finds the cause.
	clean(err error) error
	// scrub removes what an erasure of rows of the tables leaves behind in files, after its commit.
	scrub(ctx context.Context, writer *sql.DB, tables ...string) error
}

// hidden is an error of the database in words that quote no value.
type hidden struct {
	text  string
	cause error
}

func (h hidden) Error() string { return h.text }
func (h hidden) Unwrap() error { return h.cause }

// Unavailable says that the store could not be reached or could not write at all, so that no single message is to
// blame and trying again is the only remedy.
func (s *Store) Unavailable(err error) bool {
	return errors.Is(err, errBegin) || s.dialect.unavailable(err)
}

// errBegin marks a transaction that could not even start.
var errBegin = errors.New("begin transaction")

// numbered replaces each ? by $1, $2, … Queries of this package hold no ? of another meaning.
func numbered(query string) string {
	var b strings.Builder
	b.Grow(len(query) + 16)
	n := 0
	for i := range len(query) {
		if query[i] != '?' {
			b.WriteByte(query[i])
			continue
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}
