package ingest

import (
	"context"
	"fmt"
	"io"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/store"
)

// Import reads profiles and saves all of them or, when any line is at fault, none; the error then holds a
// matching.LineError for each line, the first 20 at most. Profiles that the workspace has under the same id are
// replaced, others stay. All customers of the workspace are matched anew afterwards, which the counts of their accounts
// tell when it is done. An import by another process, with store.ImportProfiles, is noticed within half a minute.
func (e *Engine) Import(ctx context.Context, workspace string, r io.Reader, format matching.Format) (
	store.ImportCounts, error,
) {
	profiles, err := matching.Read(r, format)
	if err != nil {
		return store.ImportCounts{}, fmt.Errorf("import profiles: %w", err)
	}
	n, err := e.store.ImportProfiles(ctx, workspace, profiles)
	if err != nil {
		return store.ImportCounts{}, err
	}
	e.logger.Info("imported profiles", "workspace", workspace, "added", n.Added, "updated", n.Updated,
		"profiles", n.Profiles)
	e.matcher.look()
	return n, nil
}
