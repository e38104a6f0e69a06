package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
)

const (
	// maxRows keeps one statement's text and its parse short.
	maxRows = 500
	// maxParams stays under the smaller of the two limits: SQLite 32766, PostgreSQL 65535.
	maxParams = 32000
)

// statement is SQL around a list of tuples: head (?,?),(?,?),… tail. It is built from constants only.
type statement struct{ head, tuple, tail string }

func (s statement) text(rows int) string {
	var b strings.Builder
	b.Grow(len(s.head) + rows*(len(s.tuple)+1) + len(s.tail))
	b.WriteString(s.head)
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s.tuple)
	}
	b.WriteString(s.tail)
	return b.String()
}

// each runs fn for every chunk of n rows, with the statement's text and its arguments.
func (s statement) each(n int, row func(i int) []any, fn func(query string, args []any) error) error {
	size := min(maxRows, maxParams/max(1, strings.Count(s.tuple, "?")))
	for start := 0; start < n; start += size {
		end := min(n, start+size)
		var args []any
		for i := start; i < end; i++ {
			args = append(args, row(i)...)
		}
		if err := fn(s.text(end-start), args); err != nil {
			return err
		}
	}
	return nil
}

// execMany runs a statement over n rows and returns how many it affected.
func (t *Tx) execMany(ctx context.Context, s statement, n int, row func(i int) []any) (affected int, err error) {
	err = s.each(n, row, func(query string, args []any) error {
		n, err := t.exec(ctx, query, args...)
		affected += n
		return err
	})
	return affected, err
}

// queryMany runs a statement over n rows and scans all that it returns.
func (t *Tx) queryMany(ctx context.Context, s statement, n int, row func(i int) []any, scan func(*sql.Rows) error) error {
	return s.each(n, row, func(query string, args []any) error {
		return t.querier().rows(ctx, query, args, scan)
	})
}

// bit is how both dialects store a boolean.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareScopes(a, b Scope) int {
	return cmp.Or(strings.Compare(a.Workspace, b.Workspace), cmp.Compare(bit(a.Livemode), bit(b.Livemode)))
}

func sortScopes(s []Scope) { slices.SortFunc(s, compareScopes) }

func compareKeys(a, b CustomerKey) int {
	return cmp.Or(compareScopes(a.Scope, b.Scope), strings.Compare(a.Customer, b.Customer))
}

// unique sorts and removes equal neighbours; the argument stays as it was.
func unique[T comparable](in []T, compare func(a, b T) int) []T {
	out := slices.Clone(in)
	slices.SortFunc(out, compare)
	return slices.Compact(out)
}
