package bus

import "github.com/kustiq/kustiq/engine/signal"

// Progress of a backfill, summed up. Its key is the Backfill's uid. Times are unix seconds. The operator creates it and
// writes Suspend and Resumes; the rest is written by the worker that has the lease.
type Progress struct {
	Phase     string                      `json:"phase"`
	Percent   int                         `json:"percent"`
	Objects   int64                       `json:"objects"`
	Requests  int64                       `json:"requests"`
	Signals   int64                       `json:"signals"`
	Throttled int64                       `json:"throttled"`
	Resources map[string]ResourceProgress `json:"resources,omitempty"`
	// Until is the second in which the reading ends, 0 for that in which the Backfill was created.
	Until       int64 `json:"until,omitempty"`
	StartedAt   int64 `json:"started_at"`
	CompletedAt int64 `json:"completed_at"`
	// Rate is in objects a second, lately; EndsAt when it is expected to end. Both are 0 while nothing can be said.
	Rate   float64 `json:"rate,omitempty"`
	EndsAt int64   `json:"ends_at,omitempty"`
	// ThrottledSince is since when Stripe has let nothing through; Postponed how often the task was put off in that time.
	ThrottledSince int64 `json:"throttled_since,omitempty"`
	Postponed      int   `json:"postponed,omitempty"`
	// Failures counts tries that failed for another reason since something was read.
	Failures int `json:"failures,omitempty"`
	// Found counts the signals by kind and provenance; Lost what the window can no longer tell.
	Found map[signal.Kind]Provenances `json:"found,omitempty"`
	Lost  []Loss                      `json:"lost,omitempty"`
	// Owner is the run that has the lease, until LeaseUntil; empty when none has.
	Owner      string `json:"owner,omitempty"`
	LeaseUntil int64  `json:"lease_until,omitempty"`
	// Connection is the uid of the connection whose history it is.
	Connection string `json:"connection,omitempty"`
	// Suspend asks the worker to stop where it is. Resumes counts how often that was taken back.
	Suspend bool `json:"suspend,omitempty"`
	Resumes int  `json:"resumes,omitempty"`
	// Code and Message say why it failed or waits.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// The phases of Progress.
const (
	PhasePending   = "Pending"
	PhaseRunning   = "Running"
	PhaseSuspended = "Suspended"
	PhaseSucceeded = "Succeeded"
	PhaseFailed    = "Failed"
)

// Provenances counts signals by how sure they are.
type Provenances struct {
	Event    int64 `json:"event,omitempty"`
	Object   int64 `json:"object,omitempty"`
	Inferred int64 `json:"inferred,omitempty"`
}

// Loss is something that happened and that Stripe no longer tells.
type Loss struct {
	Kind signal.Kind `json:"kind"`
	// Count of what is known to be missing; 0 when nobody can count it.
	Count int64 `json:"count,omitempty"`
	// Reason in words for people.
	Reason string `json:"reason"`
}

// ResourceProgress of one listed resource.
type ResourceProgress struct {
	Objects  int64 `json:"objects"`
	Requests int64 `json:"requests,omitempty"`
	Percent  int   `json:"percent,omitempty"`
	Done     bool  `json:"done"`
	// Cursor is the last object whose signals are durable, of the newest window that is not read to its end.
	Cursor string `json:"cursor,omitempty"`
	// Windows is in how many windows the list is read side by side; Left how many of them are not read to their end.
	Windows int `json:"windows,omitempty"`
	Left    int `json:"left,omitempty"`
}

// ListProgress is how far one list of a backfill is read: the checkpoint that another worker goes on from.
type ListProgress struct {
	// Slices cover the list's window of creation, newest first, without gap or overlap.
	Slices   []Slice `json:"slices"`
	Requests int64   `json:"requests,omitempty"`
	Signals  int64   `json:"signals,omitempty"`
	// Splits counts how often a slice was divided. Each costs at most one request more than the least possible.
	Splits int `json:"splits,omitempty"`
	// Found counts signals by kind and provenance.
	Found map[signal.Kind]Provenances `json:"found,omitempty"`
	// Attempts is how many failed payments invoices tell of; charges show when they were.
	Attempts int64 `json:"attempts,omitempty"`
	// Owner is the run that wrote it.
	Owner string `json:"owner,omitempty"`
}

// Slice is a part of a list, by creation in unix seconds, both ends included.
type Slice struct {
	// From is 0 for the beginning of time.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Cursor is the last object whose signals are durable, and At its creation.
	Cursor  string `json:"cursor,omitempty"`
	At      int64  `json:"at,omitempty"`
	Objects int64  `json:"objects,omitempty"`
	// Density is how many objects a second were created where it was last looked at; 0 while that is not known.
	Density float64 `json:"density,omitempty"`
	// Done says that the last page was seen.
	Done bool `json:"done,omitempty"`
}

// ListKey is the key of one list of a backfill.
func ListKey(uid, list string) string { return uid + "." + list }

// Budget is what has been given out of the requests that one account may be asked in one mode. Time is divided into
// frames of equal length, counted from 1970.
type Budget struct {
	// Frame is the length of a frame in nanoseconds.
	Frame int64 `json:"frame"`
	// First is the number of the frame that Taken begins with.
	First int64 `json:"first"`
	// Taken holds for each frame which paths have a request in it, a bit each.
	Taken []uint32 `json:"taken,omitempty"`
	// Slow holds what Stripe refused, by path; "" stands for all paths.
	Slow map[string]Slowdown `json:"slow,omitempty"`
}

// Slowdown is how an account, or one path of it, is asked less after a refusal, and by and by more again.
type Slowdown struct {
	// Since is the frame of the last refusal, and Pace the share of frames that was used from then on.
	Since int64   `json:"since"`
	Pace  float64 `json:"pace"`
	// Second is the frame of the first refusal of a second, which do not take the pace below Floor.
	Second int64   `json:"second"`
	Floor  float64 `json:"floor"`
	// Until is the frame before which nothing is asked at all.
	Until int64 `json:"until,omitempty"`
}
