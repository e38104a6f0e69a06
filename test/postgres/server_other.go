//go:build !unix

package store_test

import "testing"

func startPostgres(testing.TB) (base, why string) {
	return "", "no server can be started on this system"
}
