package signal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealPayloads reads a folder of recorded payloads, one file each: events named after their type, listed objects
// "object__<kind>". It is skipped unless KUSTIQ_FIXTURES names one.
func TestRealPayloads(t *testing.T) {
	folder := os.Getenv("KUSTIQ_FIXTURES")
	if folder == "" {
		t.Skip("KUSTIQ_FIXTURES is not set")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no payloads in the folder: %v", err)
	}
	objects := []string{"customer", "subscription", "invoice", "charge", "dispute"}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			kind, listed := strings.CutPrefix(strings.SplitN(filepath.Base(file), ".", 2)[0], "object__")
			if !listed {
				t.Log(kinds(classified(t, string(body))))
				return
			}
			for _, known := range objects {
				if kind == known {
					signals, err := FromObject(body, ObjectOptions{})
					if err != nil {
						t.Fatal(err)
					}
					t.Log(kinds(signals))
				}
			}
		})
	}
}
