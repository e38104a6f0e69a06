package report

import (
	"fmt"
	"io"
	"time"
)

// Profiles is one page of a workspace's profiles, in the order of their ids.
type Profiles struct {
	// Workspace is "namespace/name".
	Workspace string    `json:"workspace"`
	AsOf      time.Time `json:"as_of"`
	// Total counts all profiles of the workspace.
	Total int64 `json:"total"`
	// Next continues after this page when handed back as "after"; empty on the last page.
	Next     string    `json:"next,omitempty"`
	Profiles []Profile `json:"profiles"`
}

// Profile is one of the merchant's own customers.
type Profile struct {
	ID     string `json:"profile_id"`
	Email  string `json:"email,omitempty"`
	Domain string `json:"domain,omitempty"`
}

// Imports lists a workspace's last imports of profiles, the newest first, 20 at most.
type Imports struct {
	Workspace string    `json:"workspace"`
	AsOf      time.Time `json:"as_of"`
	Imports   []Import  `json:"imports"`
}

// Phases of an Import.
const (
	// ImportStaging takes lines in; nothing of them counts yet.
	ImportStaging = "staging"
	// ImportApplying has found every line good, and makes them profiles.
	ImportApplying = "applying"
	// ImportDone is over: customers are being matched anew.
	ImportDone = "done"
)

// Import is an import of profiles and its progress.
type Import struct {
	Workspace string    `json:"workspace"`
	ID        string    `json:"id"`
	Phase     string    `json:"phase"`
	StartedAt time.Time `json:"started_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Profiles of the file; Added were not there before, Updated were.
	Profiles int64 `json:"profiles"`
	Added    int64 `json:"added"`
	Updated  int64 `json:"updated"`
}

// LineProblem says what is wrong with a line of an import.
type LineProblem struct {
	// Line is counted from 1, the header included.
	Line    int    `json:"line"`
	Problem string `json:"problem"`
}

// Deleted says how many profiles were removed.
type Deleted struct {
	Deleted int `json:"deleted"`
}

// ProfileTable writes profiles as a table.
func ProfileTable(w io.Writer, page Profiles) error {
	lines := [][]string{{"PROFILE", "EMAIL", "DOMAIN"}}
	for _, p := range page.Profiles {
		lines = append(lines, []string{Printable(p.ID), orUnknown(Printable(p.Email)), orUnknown(Printable(p.Domain))})
	}
	if len(page.Profiles) > 0 {
		if err := writeAligned(w, lines, []bool{false, false, false}); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "%d of %s in %s.\n", len(page.Profiles), count(int(page.Total), "profile"), Printable(page.Workspace))
	return err
}

// ImportTable writes imports as a table.
func ImportTable(w io.Writer, list Imports) error {
	if len(list.Imports) == 0 {
		_, err := fmt.Fprintf(w, "No imports of profiles in %s in the last 30 days.\n", Printable(list.Workspace))
		return err
	}
	lines := [][]string{{"IMPORT", "PHASE", "PROFILES", "NEW", "REPLACED", "STARTED"}}
	for _, i := range list.Imports {
		lines = append(lines, []string{
			Printable(i.ID), i.Phase, fmt.Sprint(i.Profiles), fmt.Sprint(i.Added), fmt.Sprint(i.Updated), Ago(i.StartedAt, list.AsOf),
		})
	}
	return writeAligned(w, lines, []bool{false, false, true, true, true, false})
}
