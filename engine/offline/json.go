package offline

import (
	"encoding/json"
	"fmt"
	"io"
)

// PrintJSON writes a JSON array with one member a line.
func PrintJSON[T any](w io.Writer, members []T) error {
	for i, member := range members {
		raw, err := json.Marshal(member)
		if err != nil {
			return fmt.Errorf("encode output: %w", err)
		}
		before := ",\n"
		if i == 0 {
			before = "[\n"
		}
		if _, err := fmt.Fprintf(w, "%s%s", before, raw); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	end := "\n]\n"
	if len(members) == 0 {
		end = "[]\n"
	}
	if _, err := io.WriteString(w, end); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
