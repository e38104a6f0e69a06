package offline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRealEvents reads every recorded event and object of the folder KUSTIQ_FIXTURES, pretty-printed as they are, alone
// and all in one stream.
func TestRealEvents(t *testing.T) {
	folder := os.Getenv("KUSTIQ_FIXTURES")
	if folder == "" {
		t.Skip("KUSTIQ_FIXTURES is not set")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no payloads in the folder: %v", err)
	}
	var stream strings.Builder
	count := 0
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if in := input(t, string(body)); in.Err() != nil || in.Events != 1 {
			t.Errorf("%s: %d events, problems %v", filepath.Base(file), in.Events, in.Problems)
		}
		stream.Write(body)
		count++
	}
	in := input(t, stream.String())
	if in.Err() != nil || in.Events != count {
		t.Errorf("all in one: %d events of %d, problems %v", in.Events, count, in.Problems)
	}
	var table strings.Builder
	scores, _ := in.Scores(time.Unix(1_700_000_000, 0))
	if err := PrintSignals(&table, in.Signals()); err != nil {
		t.Fatal(err)
	}
	if err := PrintScores(&table, scores); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
}
