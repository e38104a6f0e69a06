package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kustiq/kustiq/engine/matching"
)

const (
	// importPage bounds one transaction that takes lines in or removes them, so that batches of signals get their turn in
	// between.
	importPage = 2000
	// applyPage bounds one that applies them. The hashes of any page lie all over their index: the fewer pages, the less of
	// it is written, and the longer batches wait.
	applyPage = 10_000
	// maxProblems is how many lines at fault are told at once.
	maxProblems = 20
	// stagingKept is after which time without progress an import counts as abandoned: its process has died.
	stagingKept = time.Hour
	// importsKept is how long a finished import can be asked for.
	importsKept = 30 * 24 * time.Hour
)

// ImportPhase is how far an import is.
type ImportPhase string

// The phases of an import.
const (
	// ImportStaging takes lines in. Nothing of them counts yet.
	ImportStaging ImportPhase = "staging"
	// ImportApplying has found every line good; they become profiles page by page, which nothing but time can hinder.
	ImportApplying ImportPhase = "applying"
	// ImportDone has all profiles in place.
	ImportDone ImportPhase = "done"
)

// ProfileImport is one import and its progress.
type ProfileImport struct {
	ID                   string
	Phase                ImportPhase
	StartedAt, UpdatedAt time.Time
	// Staged are all its profiles, or those taken in so far. Added were not there before; Updated were, and are as
	// imported.
	Staged, Added, Updated int64
}

// ImportCounts says what an import changed.
type ImportCounts struct {
	Added   int `json:"added"`
	Updated int `json:"updated"`
	// Profiles that the workspace has now.
	Profiles int64 `json:"profiles"`
}

// ImportError says which lines of an import are at fault, the first 20 at most.
type ImportError struct{ Lines []matching.LineError }

func (e *ImportError) Error() string {
	lines := make([]string, len(e.Lines))
	for i, line := range e.Lines {
		lines[i] = line.Error()
	}
	return strings.Join(lines, "\n")
}

// ProfileSource gives profiles one after the other, with the line where each begins, and io.EOF after the last. A
// matching.LineError concerns one line only; with any other error the import ends.
type ProfileSource interface {
	Next() (p matching.Profile, line int, err error)
}

// errImportGone ends the staging of an import whose workspace was erased meanwhile.
var errImportGone = errors.New("the import is gone: the workspace was erased meanwhile")

// StageProfiles takes profiles in and, when every line is good, hands them over to ApplyImports; until then nothing of
// them counts. It holds a page of them in memory at a time. With an *ImportError, or any other, nothing remains.
func (s *Store) StageProfiles(ctx context.Context, workspace string, from ProfileSource) (ProfileImport, error) {
	i := &staging{store: s, workspace: workspace, id: "imp_" + strings.ToLower(rand.Text())}
	err := i.begin(ctx)
	if err == nil {
		err = i.takeIn(ctx, from)
	}
	if err == nil {
		err = i.handOver(ctx)
	}
	if err != nil {
		// A request that was broken off leaves nothing, either.
		err = errors.Join(err, i.discard(context.WithoutCancel(ctx)))
		return ProfileImport{}, fmt.Errorf("import profiles: %w", err)
	}
	return s.ProfileImport(ctx, workspace, i.id)
}

// staging is an import that takes lines in.
type staging struct {
	store         *Store
	workspace, id string
	staged        int
	problems      []matching.LineError
}

type stagedLine struct {
	profile matching.Profile
	line    int
}

func (i *staging) begin(ctx context.Context) error {
	return i.store.Update(ctx, func(tx *Tx) error {
		// Without the mode: profiles are no sign that live data has arrived.
		if _, err := tx.Workspaces(ctx, []Scope{{Workspace: i.workspace}}); err != nil {
			return err
		}
		now := tx.store.clock.Now().UnixMilli()
		_, err := tx.exec(ctx, `INSERT INTO profile_imports (workspace, import_id, phase, started_at, updated_at) VALUES (?,?,'staging',?,?)`,
			i.workspace, i.id, now, now)
		return err
	})
}

// takeIn stages all lines, or fails with *ImportError.
func (i *staging) takeIn(ctx context.Context, from ProfileSource) error {
	page := make([]stagedLine, 0, importPage)
	for len(i.problems) < maxProblems {
		p, line, err := from.Next()
		var atFault matching.LineError
		switch {
		case errors.As(err, &atFault):
			i.problems = append(i.problems, atFault)
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case err == nil:
			page = append(page, stagedLine{p, line})
		}
		if len(page) == importPage || err != nil {
			if failed := i.stage(ctx, page); failed != nil {
				return failed
			}
			page = page[:0]
		}
		if err != nil {
			break
		}
	}
	if len(i.problems) > 0 {
		slices.SortFunc(i.problems, func(a, b matching.LineError) int { return a.Line - b.Line })
		return &ImportError{Lines: i.problems[:min(len(i.problems), maxProblems)]}
	}
	if i.staged == 0 {
		return &ImportError{Lines: []matching.LineError{{Line: 1, Problem: "the file has no profiles"}}}
	}
	return nil
}

// stage stores a page. Of an id that comes twice the first line stays, and the other is a problem.
func (i *staging) stage(ctx context.Context, page []stagedLine) error {
	if len(page) == 0 {
		return nil
	}
	var problems []matching.LineError
	err := i.store.Update(ctx, func(tx *Tx) (err error) {
		problems, err = i.stagePage(ctx, tx, page)
		return err
	})
	i.staged += len(page)
	i.problems = append(i.problems, problems...)
	return err
}

func (i *staging) stagePage(ctx context.Context, tx *Tx, page []stagedLine) ([]matching.LineError, error) {
	if _, err := tx.Workspaces(ctx, []Scope{{Workspace: i.workspace}}); err != nil {
		return nil, err
	}
	key, err := tx.dataKey(i.workspace)
	if err != nil {
		return nil, err
	}
	here, err := tx.exec(ctx, `UPDATE profile_imports SET staged = staged + ?, updated_at = ? WHERE workspace = ? AND import_id = ?
		AND phase = 'staging'`, len(page), tx.store.clock.Now().UnixMilli(), i.workspace, i.id)
	if err == nil && here == 0 {
		err = errImportGone
	}
	if err != nil {
		return nil, err
	}
	rows := make([][]any, len(page))
	for n, line := range page {
		row, err := profileRow(key, i.workspace, line.profile)
		if err != nil {
			return nil, err
		}
		rows[n] = append([]any{i.workspace, i.id, line.line}, row...)
	}
	stored, err := tx.execMany(ctx, statement{
		head:  `INSERT INTO staged_profiles (workspace, import_id, line, profile_id, email_hash, domain_hash, identity) VALUES `,
		tuple: `(?,?,?,?,?,?,?)`,
		tail:  ` ON CONFLICT (workspace, import_id, profile_id) DO NOTHING`,
	}, len(rows), func(n int) []any { return rows[n] })
	if err != nil || stored == len(page) {
		return nil, err
	}
	return i.twice(ctx, tx, page)
}

// twice finds the lines whose id another line has.
func (i *staging) twice(ctx context.Context, tx *Tx, page []stagedLine) (problems []matching.LineError, err error) {
	first := make(map[string]int, len(page))
	err = tx.queryMany(ctx, statement{
		head: `WITH k (workspace, import_id, profile_id) AS (VALUES `, tuple: `(?,?,?)`,
		tail: `) SELECT s.profile_id, s.line FROM k CROSS JOIN staged_profiles s
			WHERE s.workspace = k.workspace AND s.import_id = k.import_id AND s.profile_id = k.profile_id`,
	}, len(page), func(n int) []any { return []any{i.workspace, i.id, page[n].profile.ID} }, func(rows *sql.Rows) error {
		var id string
		var line int
		err := rows.Scan(&id, &line)
		first[id] = line
		return err
	})
	for _, line := range page {
		if at := first[line.profile.ID]; at != line.line {
			problems = append(problems, matching.LineError{Line: line.line, Problem: fmt.Sprintf("profile_id is that of line %d", at)})
		}
	}
	return problems, err
}

func (i *staging) handOver(ctx context.Context) error {
	return i.store.Update(ctx, func(tx *Tx) error {
		here, err := tx.exec(ctx, `UPDATE profile_imports SET phase = 'applying', updated_at = ? WHERE workspace = ? AND import_id = ?
			AND phase = 'staging'`, tx.store.clock.Now().UnixMilli(), i.workspace, i.id)
		if err == nil && here == 0 {
			return errImportGone
		}
		return err
	})
}

func (i *staging) discard(ctx context.Context) error {
	return i.store.discardImport(ctx, i.workspace, i.id)
}

// discardImport removes an import and its lines, a page in each transaction.
func (s *Store) discardImport(ctx context.Context, workspace, id string) error {
	for more := true; more; {
		err := s.Update(ctx, func(tx *Tx) error {
			if _, err := tx.exec(ctx, `DELETE FROM profile_imports WHERE workspace = ? AND import_id = ?`, workspace, id); err != nil {
				return err
			}
			removed, err := tx.exec(ctx, `DELETE FROM staged_profiles WHERE workspace = ? AND import_id = ? AND profile_id IN
				(SELECT profile_id FROM staged_profiles WHERE workspace = ? AND import_id = ? ORDER BY profile_id LIMIT ?)`,
				workspace, id, workspace, id, importPage)
			more = removed == importPage
			return err
		})
		if err != nil {
			return fmt.Errorf("discard an import: %w", err)
		}
	}
	return nil
}

// ApplyImports turns one page of the longest waiting import into profiles; more says that there is another page. When it
// has turned the last one, all customers of the workspace are to be matched anew: see Rematches. An import whose process
// has died goes on with whoever calls this. It spans workspaces and returns none of their data.
func (s *Store) ApplyImports(ctx context.Context) (more bool, err error) {
	var workspace, id string
	err = s.view(ctx, func(q querier) error {
		return q.row(ctx, `SELECT workspace, import_id FROM profile_imports WHERE phase = 'applying' ORDER BY started_at, workspace, import_id LIMIT 1`).
			Scan(&workspace, &id)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, s.sweepImports(ctx)
	}
	if err == nil {
		err = s.Update(ctx, func(tx *Tx) error { return tx.applyImport(ctx, workspace, id) })
	}
	if err != nil {
		return false, fmt.Errorf("apply an import: %w", err)
	}
	return true, nil
}

func (t *Tx) applyImport(ctx context.Context, workspace, id string) error {
	if err := t.holdProfiles(ctx, workspace); err != nil {
		return err
	}
	var upTo sql.NullString
	var page, known int
	err := t.querier().row(ctx, `SELECT MAX(profile_id), COUNT(*) FROM (SELECT s.profile_id FROM staged_profiles s
		CROSS JOIN profile_imports i WHERE s.workspace = ? AND s.import_id = ? AND i.workspace = s.workspace
		AND i.import_id = s.import_id AND i.phase = 'applying' ORDER BY s.profile_id LIMIT ?) p`, workspace, id, applyPage).Scan(&upTo, &page)
	if err != nil {
		return err
	}
	of := []any{workspace, id, upTo.String}
	if page > 0 {
		err = t.querier().row(ctx, `SELECT COUNT(*) FROM staged_profiles s CROSS JOIN profiles p WHERE s.workspace = ? AND s.import_id = ?
			AND s.profile_id <= ? AND p.workspace = s.workspace AND p.profile_id = s.profile_id`, of...).Scan(&known)
		if err != nil {
			return err
		}
		for _, query := range []string{
			`INSERT INTO profiles (workspace, profile_id, email_hash, domain_hash, identity)
				SELECT workspace, profile_id, email_hash, domain_hash, identity FROM staged_profiles
				WHERE workspace = ? AND import_id = ? AND profile_id <= ? ON CONFLICT (workspace, profile_id) DO UPDATE SET
				email_hash = excluded.email_hash, domain_hash = excluded.domain_hash, identity = excluded.identity`,
			`DELETE FROM staged_profiles WHERE workspace = ? AND import_id = ? AND profile_id <= ?`,
		} {
			if _, err := t.exec(ctx, query, of...); err != nil {
				return err
			}
		}
	}
	phase, imports := ImportApplying, 0
	if page < applyPage {
		phase, imports = ImportDone, 1
	}
	here, err := t.exec(ctx, `UPDATE profile_imports SET added = added + ?, updated = updated + ?, updated_at = ?, phase = ?
		WHERE workspace = ? AND import_id = ? AND phase = 'applying'`,
		page-known, known, t.store.clock.Now().UnixMilli(), string(phase), workspace, id)
	if err != nil || here == 0 { // another process has turned the last page
		return err
	}
	_, err = t.exec(ctx, `UPDATE workspaces SET profiles = profiles + ?, imports = imports + ? WHERE workspace = ?`,
		page-known, imports, workspace)
	return err
}

// sweepImports removes what a process left behind that died while it took lines in, and forgets what is long done.
func (s *Store) sweepImports(ctx context.Context) error {
	now := s.clock.Now()
	type importKey struct{ workspace, id string }
	var old []importKey
	err := s.view(ctx, func(q querier) error {
		return q.rows(ctx, `SELECT workspace, import_id FROM profile_imports WHERE (phase = 'staging' AND updated_at < ?)
			OR (phase = 'done' AND updated_at < ?)`,
			[]any{now.Add(-stagingKept).UnixMilli(), now.Add(-importsKept).UnixMilli()}, func(rows *sql.Rows) error {
				var key importKey
				err := rows.Scan(&key.workspace, &key.id)
				old = append(old, key)
				return err
			})
	})
	for _, key := range old {
		err = errors.Join(err, s.discardImport(ctx, key.workspace, key.id))
	}
	if err != nil {
		return fmt.Errorf("sweep imports: %w", err)
	}
	return nil
}

const importColumns = `SELECT import_id, phase, started_at, updated_at, staged, added, updated FROM profile_imports WHERE workspace = ?`

// ProfileImport returns one import of the workspace, or ErrNotFound. Finished ones are kept for 30 days.
func (s *Store) ProfileImport(ctx context.Context, workspace, id string) (i ProfileImport, err error) {
	err = s.view(ctx, func(q querier) error {
		return scanImport(q.row(ctx, importColumns+` AND import_id = ?`, workspace, id), &i)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return i, ErrNotFound
	case err != nil:
		return i, fmt.Errorf("read an import: %w", err)
	}
	return i, nil
}

// recentImports is how many imports are listed.
const recentImports = 20

// ProfileImports lists the workspace's last imports, the newest first.
func (s *Store) ProfileImports(ctx context.Context, workspace string) (all []ProfileImport, err error) {
	all = []ProfileImport{}
	err = s.view(ctx, func(q querier) error {
		return q.rows(ctx, importColumns+` ORDER BY started_at DESC, import_id LIMIT ?`, []any{workspace, recentImports}, func(rows *sql.Rows) error {
			var i ProfileImport
			err := scanImport(rows, &i)
			all = append(all, i)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	return all, nil
}

func scanImport(row scanner, i *ProfileImport) error {
	var started, updated int64
	err := row.Scan(&i.ID, &i.Phase, &started, &updated, &i.Staged, &i.Added, &i.Updated)
	i.StartedAt, i.UpdatedAt = fromMilli(started), fromMilli(updated)
	return err
}
