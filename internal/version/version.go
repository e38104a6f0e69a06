// Package version owns the name of the build.
package version

// Version is set at link time by the Makefile.
var Version = "dev"
