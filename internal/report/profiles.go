package report

import "time"

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
