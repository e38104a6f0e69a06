package report

import "time"

// Audit is one page of what people did in a workspace, the newest first.
type Audit struct {
	// Workspace is "namespace/name".
	Workspace string    `json:"workspace"`
	AsOf      time.Time `json:"as_of"`
	Actions   []Action  `json:"actions"`
	// Next is the after of the next page; empty on the last one.
	Next string `json:"next,omitempty"`
}

// Action is what somebody did.
type Action struct {
	At time.Time `json:"at"`
	// User is the name that Kubernetes knows them by; empty when the key that it was sealed with is lost.
	User string `json:"user"`
	// Action is a verb such as rotate-secret.
	Action string `json:"action"`
	// Object is a resource of Kubernetes as kind/name.
	Object string `json:"object,omitempty"`
	// Subjects are ids at Stripe and of profiles; an erasure of the workspace empties them.
	Subjects string `json:"subjects,omitempty"`
	Detail   string `json:"detail,omitempty"`
	// Outcome is begun, done or failed.
	Outcome string `json:"outcome"`
}
