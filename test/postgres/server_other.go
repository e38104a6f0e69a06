//go:build !unix

// Package postgres starts a PostgreSQL server for tests and benchmarks, from the binaries that the machine has.
package postgres

import "testing"

// Start says that there is none.
func Start(testing.TB, bool) (dsn, why string) {
	return "", "no server can be started on this system"
}
