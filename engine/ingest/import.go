package ingest

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/store"
)

// importIdle is how often imports are looked for that another process has taken in.
const importIdle = 3 * time.Second

// Import reads profiles and saves all of them or, when any line is at fault, none; the error is a *store.ImportError then.
// Profiles that the workspace has under the same id are replaced, others stay. All customers of the workspace are matched
// anew afterwards, which the counts of their accounts tell when it is done.
func (e *Engine) Import(ctx context.Context, workspace string, r io.Reader, format matching.Format) (
	n store.ImportCounts, err error,
) {
	reader, err := matching.NewReader(r, format)
	if err != nil {
		return n, fmt.Errorf("import profiles: %w", err)
	}
	staged, err := e.store.StageProfiles(ctx, workspace, reader)
	if err != nil {
		return n, err
	}
	for staged.Phase != store.ImportDone {
		if _, err = e.store.ApplyImports(ctx); err != nil {
			return n, err
		}
		if staged, err = e.store.ProfileImport(ctx, workspace, staged.ID); err != nil {
			return n, err
		}
	}
	page, err := e.store.Profiles(ctx, workspace, "", 1)
	e.matcher.look()
	return store.ImportCounts{Added: int(staged.Added), Updated: int(staged.Updated), Profiles: page.Total}, err
}

// applyImports turns what was taken in into profiles, wherever that was, and returns when to look again.
func (e *Engine) applyImports(ctx context.Context) (again time.Duration) {
	applied := false
	for {
		more, err := e.store.ApplyImports(ctx)
		if err != nil && ctx.Err() == nil {
			e.logger.Warn("imported profiles cannot be applied yet", "again", watchRetry, "error", err)
			return watchRetry
		}
		if err != nil || !more {
			break
		}
		applied = true
	}
	if applied {
		e.logger.Info("imported profiles are applied")
		e.matcher.look()
	}
	return importIdle
}
