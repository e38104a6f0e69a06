package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// ProfileStore fails with store.ErrNotFound, store.ErrCursor and *store.ImportError.
type ProfileStore interface {
	Profiles(ctx context.Context, workspace, after string, limit int) (store.ProfilePage, error)
	StageProfiles(ctx context.Context, workspace string, from store.ProfileSource) (store.ProfileImport, error)
	ProfileImport(ctx context.Context, workspace, id string) (store.ProfileImport, error)
	ProfileImports(ctx context.Context, workspace string) ([]store.ProfileImport, error)
	DeleteProfile(ctx context.Context, workspace, id string) error
	DeleteProfiles(ctx context.Context, workspace string) (removed int, err error)
}

// uploadPause is how long an upload may bring nothing. A whole one may take its time.
const uploadPause = time.Minute

// formats by the type of an upload's content.
var formats = map[string]matching.Format{
	"text/csv": matching.CSV, "application/x-ndjson": matching.NDJSON, "application/ndjson": matching.NDJSON,
}

func (d *Dashboard) apiProfiles(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	limit, err := limitOf(r.URL.Query())
	if d.refused(w, err) {
		return
	}
	page, err := d.Matching.Profiles(r.Context(), workspace, r.URL.Query().Get("after"), limit)
	if refusedCursor(w, err, ofThisList) {
		return
	}
	if err != nil {
		d.apiFailure(w, "list profiles", err)
		return
	}
	out := report.Profiles{Workspace: workspace, AsOf: d.Clock.Now(), Total: page.Total, Next: page.Next, Profiles: []report.Profile{}}
	for _, p := range page.Profiles {
		out.Profiles = append(out.Profiles, report.Profile{ID: p.ID, Email: p.Email, Domain: p.Domain})
	}
	answer(w, out)
}

// apiImport takes a file of profiles in as it comes. When every line is good the engine makes them profiles.
func (d *Dashboard) apiImport(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	format, ok := formats[media]
	if !ok {
		refuse(w, http.StatusUnsupportedMediaType, "bad_type", "send the file with Content-Type text/csv or application/x-ndjson")
		return
	}
	imported, err := d.importProfiles(r, workspace, format, d.upload(w, r))
	lines := linesOf(err)
	switch {
	case len(lines) > 0:
		refuseLines(w, lines)
	case errors.Is(err, matching.ErrTooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "too_large", err.Error())
	case err != nil && r.Context().Err() != nil:
		d.Logger.Info("dashboard: an upload of profiles broke off; nothing of it stays", "workspace", workspace)
	case err != nil:
		d.apiFailure(w, "import the profiles", err)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(importOf(workspace, imported)) // the client has gone
	}
}

func (d *Dashboard) importProfiles(r *http.Request, workspace string, format matching.Format, from io.Reader) (i store.ProfileImport, err error) {
	entry := action{workspace: workspace, verb: "profiles.import", object: "workspace/" + r.PathValue("name"), detail: string(format)}
	err = d.audited(r, entry, func() error {
		reader, err := matching.NewReader(from, format)
		if err == nil {
			i, err = d.Matching.StageProfiles(r.Context(), workspace, reader)
		}
		return err
	})
	return i, err
}

// upload is the body of a request that may take as long as it needs.
func (d *Dashboard) upload(w http.ResponseWriter, r *http.Request) *upload {
	body := &upload{body: r.Body, control: http.NewResponseController(w), now: d.Clock.Now}
	_ = body.control.SetWriteDeadline(time.Time{}) // where there is none to lift
	return body
}

// upload gives whoever sends a file more time with everything that comes.
type upload struct {
	body    io.Reader
	control *http.ResponseController
	now     func() time.Time
}

func (u *upload) Read(into []byte) (int, error) {
	_ = u.control.SetReadDeadline(u.now().Add(uploadPause)) // where there is none to move
	return u.body.Read(into)
}

func refuseLines(w http.ResponseWriter, lines []matching.LineError) {
	problem := report.ProblemDetail{Code: "bad_lines", Message: "nothing was imported: mend the lines that are at fault and send the file again"}
	for _, line := range lines {
		problem.Lines = append(problem.Lines, report.LineProblem{Line: line.Line, Problem: line.Problem})
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnprocessableEntity)
	_ = json.NewEncoder(w).Encode(report.Problem{Error: problem}) // the client has gone
}

func importOf(workspace string, i store.ProfileImport) report.Import {
	return report.Import{
		Workspace: workspace, ID: i.ID, Phase: string(i.Phase), StartedAt: i.StartedAt, UpdatedAt: i.UpdatedAt,
		Profiles: i.Staged, Added: i.Added, Updated: i.Updated,
	}
}

func (d *Dashboard) apiGetImport(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	found, err := d.Matching.ProfileImport(r.Context(), workspace, r.PathValue("import"))
	switch {
	case errors.Is(err, store.ErrNotFound):
		refuse(w, http.StatusNotFound, "import_not_found", "there is no such import in "+workspace)
	case err != nil:
		d.apiFailure(w, "read the import", err)
	default:
		answer(w, importOf(workspace, found))
	}
}

func (d *Dashboard) apiImports(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	found, err := d.Matching.ProfileImports(r.Context(), workspace)
	if err != nil {
		d.apiFailure(w, "list imports", err)
		return
	}
	out := report.Imports{Workspace: workspace, AsOf: d.Clock.Now(), Imports: []report.Import{}}
	for _, i := range found {
		out.Imports = append(out.Imports, importOf(workspace, i))
	}
	answer(w, out)
}

func (d *Dashboard) apiDeleteProfile(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	id := r.PathValue("profile")
	err := d.audited(r, action{workspace: workspace, verb: "profiles.delete", object: "workspace/" + r.PathValue("name"), subjects: id}, func() error {
		return d.Matching.DeleteProfile(r.Context(), workspace, id)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		refuse(w, http.StatusNotFound, "profile_not_found", "there is no such profile in "+workspace)
	case err != nil:
		d.apiFailure(w, "delete the profile", err)
	default:
		answer(w, report.Deleted{Deleted: 1})
	}
}

// apiDeleteProfiles removes all profiles of the workspace.
func (d *Dashboard) apiDeleteProfiles(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	if r.URL.Query().Get("confirm") != r.PathValue("name") {
		refuse(w, http.StatusBadRequest, "bad_confirm", "all profiles are deleted when confirm repeats the Workspace's name")
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // where there is none to lift
	removed, err := d.deleteProfiles(r, workspace)
	if err != nil {
		d.apiFailure(w, "delete the profiles", err)
		return
	}
	answer(w, report.Deleted{Deleted: removed})
}

func (d *Dashboard) deleteProfiles(r *http.Request, workspace string) (removed int, err error) {
	err = d.audited(r, action{workspace: workspace, verb: "profiles.delete-all", object: "workspace/" + r.PathValue("name")}, func() (err error) {
		removed, err = d.Matching.DeleteProfiles(r.Context(), workspace)
		return err
	})
	return removed, err
}
