// Package measure prints what benchmarks of the running product have measured.
package measure

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// Report prints figures, by name with their unit, as one line of JSON and as the benchmark's metrics.
func Report(b *testing.B, figures map[string]float64) {
	b.Helper()
	for name, figure := range figures {
		b.ReportMetric(figure, name)
	}
	line, err := json.Marshal(struct {
		Benchmark string             `json:"benchmark"`
		Figures   map[string]float64 `json:"figures"`
	}{b.Name(), figures})
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintln(os.Stdout, string(line))
	b.ReportMetric(0, "ns/op") // one turn is no operation
}
