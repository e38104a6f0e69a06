//go:build !linux

package devcluster

// endLeftovers does nothing where there is no /proc to find them in.
func endLeftovers(string) error { return nil }
