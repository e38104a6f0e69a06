package dashboard

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/report"
)

// shownImports is how many imports and erasures the page lists.
const shownImports = 5

// holdingWords say what a kind of data is, and how long it is kept.
var holdingWords = map[string]struct{ what, until string }{
	"customers":        {"Customers: state and score; names and e-mail addresses sealed", "until erased"},
	"signals":          {"Signals: what happened, with ids, times, status and amounts", "until erased"},
	"score_history":    {"Scores by day", "until erased"},
	"profiles":         {"Imported profiles; addresses and domains sealed", "until deleted or erased"},
	"matches":          {"Matches of customers and profiles", "until erased"},
	"match_decisions":  {"Decisions on matches", "until erased"},
	"match_rejections": {"Earlier rejections of profiles", "until erased"},
	"events":           {"Event ids, by which a second delivery is known", "35 days"},
	"failed_events":    {"Failed events: id, type and reason", "until processed or erased"},
	"deliveries":       {"Churn events for your own systems", "until erased"},
	"models":           {"Fitted models", "until erased"},
	"audit":            {"Audit log; names sealed", "400 days; an erasure takes the ids out"},
}

// holdingView is one line of the inventory.
type holdingView struct{ What, Count, Until string }

type dataView struct {
	layout
	// Name is the workspace's without its namespace, and Path where its forms lead.
	Name, Path string
	// Operates and Erases say what the caller may do beside looking.
	Operates, Erases bool
	Done             string
	// Problem and Lines say why an upload was refused.
	Problem  string
	Lines    []report.LineProblem
	Holdings []holdingView
	// Accounts are those that are connected, to choose from.
	Accounts []string
	Erasures []report.Erasure
	Profiles int64
	Imports  []report.Import
	Audit    report.Audit
	// After is the cursor of the audit log.
	After string
}

// Here is the address of the page without what was just done.
func (v dataView) Here() string { return inWorkspace(dataPath, v.Workspace) }

// Erasing and Importing say that something is under way, so that the page looks again.
func (v dataView) Erasing() bool {
	return len(v.Erasures) > 0 && v.Erasures[0].DoneAt.IsZero()
}

// Importing is Erasing, of the newest import.
func (v dataView) Importing() bool {
	return len(v.Imports) > 0 && v.Imports[0].Phase != report.ImportDone
}

// Older links to the next page of the audit log.
func (v dataView) Older() string {
	return dataPath + "?" + url.Values{"workspace": {v.Workspace}, "after": {v.Audit.Next}}.Encode() + "#audit"
}

var dataDone = map[string]string{
	"erase":           "The erasure has been asked for. Its report shows below once the engine has removed everything.",
	"import":          "The file was taken in. Its profiles are being made; then all customers are matched anew.",
	"delete-profiles": "All profiles are deleted.",
}

// data is what is kept, what can be erased, and who did what.
func (d *Dashboard) data(w http.ResponseWriter, r *http.Request) {
	workspaces, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	view, err := d.dataOf(r, workspace)
	if errors.Is(err, store.ErrCursor) {
		http.Redirect(w, r, inWorkspace(dataPath, workspace), http.StatusSeeOther)
		return
	}
	if err != nil {
		d.failure(w, r, "read what is kept", err)
		return
	}
	view.Workspaces, view.Done = workspaces, dataDone[r.URL.Query().Get("done")]
	d.render(w, r, http.StatusOK, "data.html", view)
}

func (d *Dashboard) dataOf(r *http.Request, workspace string) (view dataView, err error) {
	namespace, name, _ := strings.Cut(workspace, "/")
	view = dataView{layout: d.layout(r, "Data", workspace), Name: name, Path: "/dashboard/workspaces/" + workspace + "/", After: r.URL.Query().Get("after")}
	view.Section = sectionSettings
	ctx := r.Context()
	if view.Operates, err = d.allowed(r, access.Operate, namespace, name); err != nil {
		return view, err
	}
	if view.Erases, err = d.allowed(r, access.Erase, namespace, name); err != nil {
		return view, err
	}
	if view.Audit, err = d.audit(ctx, workspace, view.After, pageSize); err != nil {
		return view, err
	}
	cards, err := d.cards(r, namespace, name)
	for _, card := range cards {
		if card.Status.AccountID != "" {
			view.Accounts = append(view.Accounts, card.Status.AccountID)
		}
	}
	if err == nil {
		view.Erasures, err = d.erasures(ctx, workspace)
		view.Erasures = view.Erasures[:min(len(view.Erasures), shownImports)]
	}
	if err != nil {
		return view, err
	}
	imports, err := d.Matching.ProfileImports(ctx, workspace)
	for _, i := range imports[:min(len(imports), shownImports)] {
		view.Imports = append(view.Imports, importOf(workspace, i))
	}
	if err != nil {
		return view, err
	}
	// The inventory comes last: the page that says that something is done shows what is left by then.
	return view, d.count(ctx, workspace, &view)
}

func (d *Dashboard) count(ctx context.Context, workspace string, view *dataView) error {
	held, err := d.Store.Inventory(ctx, workspace)
	if err != nil {
		return err
	}
	for _, h := range held {
		words, count := holdingWords[h.Kind], report.Number(int(h.Count))
		if h.Least {
			count = "more than " + count
		}
		if h.Kind == "profiles" {
			view.Profiles = h.Count
		}
		view.Holdings = append(view.Holdings, holdingView{What: words.what, Count: count, Until: words.until})
	}
	return nil
}

// dataPage is where somebody comes back to.
func dataPage(workspace, done, section string) string {
	return dataPath + "?" + url.Values{"workspace": {workspace}, "done": {done}}.Encode() + "#" + section
}

// eraseForm asks for an erasure, after the workspace's name was typed.
func (d *Dashboard) eraseForm(w http.ResponseWriter, r *http.Request) {
	workspace := r.PathValue("namespace") + "/" + r.PathValue("name")
	asked := report.Erase{
		Confirm: r.PostForm.Get("confirm"), Account: strings.TrimSpace(r.PostForm.Get("account")), Livemode: r.PostForm.Get("mode") != "test",
	}
	switch {
	case asked.Confirm != r.PathValue("name"):
		d.problem(w, r, http.StatusBadRequest, "To erase, type the workspace's name: "+r.PathValue("name"), "Nothing was erased. Go back and type it.")
		return
	case asked.Account != "" && !strings.HasPrefix(asked.Account, "acct_"):
		d.problem(w, r, http.StatusBadRequest, "An account's id begins with acct_", "Nothing was erased. Go back and correct it, or leave it empty for the whole workspace.")
		return
	}
	_, _, err := d.askErasure(r, workspace, asked)
	if errors.Is(err, errBusAway) {
		d.problem(w, r, http.StatusServiceUnavailable, "The bus does not take it now", "Nothing was erased. Ask again in a moment.")
		return
	}
	if err != nil {
		d.failure(w, r, "ask for an erasure", err)
		return
	}
	http.Redirect(w, r, dataPage(workspace, "erase", "erase"), http.StatusSeeOther)
}

// deleteProfilesForm removes all profiles, after the workspace's name was typed.
func (d *Dashboard) deleteProfilesForm(w http.ResponseWriter, r *http.Request) {
	workspace := r.PathValue("namespace") + "/" + r.PathValue("name")
	if r.PostForm.Get("confirm") != r.PathValue("name") {
		d.problem(w, r, http.StatusBadRequest, "To delete all profiles, type the workspace's name: "+r.PathValue("name"), "Nothing was deleted. Go back and type it.")
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // where there is none to lift
	if _, err := d.deleteProfiles(r, workspace); err != nil {
		d.failure(w, r, "delete the profiles", err)
		return
	}
	http.Redirect(w, r, dataPage(workspace, "delete-profiles", "profiles"), http.StatusSeeOther)
}

// maxField bounds a field before the file of an upload, in bytes.
const maxField = 4 << 10

// importPattern is the one form that is sent in parts.
const importPattern = "POST /dashboard/workspaces/{namespace}/{name}/profiles"

// importForm takes in a file of profiles as it comes: it is never whole in memory, nor in a file of ours. The form's
// token is its first part.
func (d *Dashboard) importForm(w http.ResponseWriter, r *http.Request) {
	workspace := r.PathValue("namespace") + "/" + r.PathValue("name")
	r.Body = io.NopCloser(d.upload(w, r)) // the server closes what it gave itself
	parts, err := r.MultipartReader()
	if err != nil {
		d.problem(w, r, http.StatusUnsupportedMediaType, "Choose a file to import", "Nothing was imported. Go back and use the form.")
		return
	}
	field, err := parts.NextPart()
	if err != nil || field.FormName() != "token" {
		d.notOwnForm(w, r)
		return
	}
	token, err := io.ReadAll(io.LimitReader(field, maxField))
	if err != nil || !d.formTokenValid(string(token), callerOf(r).session) {
		d.notOwnForm(w, r)
		return
	}
	file, err := parts.NextPart()
	if err != nil || file.FormName() != "file" || file.FileName() == "" {
		d.problem(w, r, http.StatusBadRequest, "Choose a file to import", "Nothing was imported. Go back and choose one.")
		return
	}
	format := matching.CSV
	switch strings.ToLower(path.Ext(file.FileName())) {
	case ".ndjson", ".jsonl", ".json":
		format = matching.NDJSON
	}
	if _, err = d.importProfiles(r, workspace, format, file); err != nil {
		d.importRefused(w, r, workspace, err)
		return
	}
	http.Redirect(w, r, dataPage(workspace, "import", "profiles"), http.StatusSeeOther)
}

// importRefused shows the page again with what is wrong with the file.
func (d *Dashboard) importRefused(w http.ResponseWriter, r *http.Request, workspace string, err error) {
	problem, lines := "Nothing was imported: mend the lines that are at fault and send the file again.", linesOf(err)
	switch {
	case errors.Is(err, matching.ErrTooLarge):
		problem = "Nothing was imported: " + err.Error() + "."
	case len(lines) == 0:
		d.failure(w, r, "import profiles", err)
		return
	}
	view, err := d.dataOf(r, workspace)
	if err == nil {
		view.Workspaces, err = d.workspaces(r)
	}
	if err != nil {
		d.failure(w, r, "read what is kept", err)
		return
	}
	view.Problem = problem
	for _, line := range lines {
		view.Lines = append(view.Lines, report.LineProblem{Line: line.Line, Problem: line.Problem})
	}
	d.render(w, r, http.StatusUnprocessableEntity, "data.html", view)
}

// linesOf are the lines that an import was refused for.
func linesOf(err error) []matching.LineError {
	var faults *store.ImportError
	var header matching.LineError
	switch {
	case errors.As(err, &faults):
		return faults.Lines
	case errors.As(err, &header):
		return []matching.LineError{header}
	}
	return nil
}
