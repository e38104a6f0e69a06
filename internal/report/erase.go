package report

import (
	"fmt"
	"io"
	"time"
)

// Erase asks for an erasure, of one account in one mode or of the whole workspace.
type Erase struct {
	// Confirm repeats the workspace's name, without its namespace.
	Confirm string `json:"confirm"`
	// Account is an acct_ id; empty erases the workspace with all of its accounts, its profiles and its data key.
	Account string `json:"account,omitempty"`
	// Livemode says which of the account's data; it counts only with an account.
	Livemode bool `json:"livemode,omitempty"`
}

// Erasure is an erasure and, once it is done, what it removed.
type Erasure struct {
	Workspace string `json:"workspace"`
	ID        string `json:"id"`
	// Account is empty for the whole workspace.
	Account     string    `json:"account,omitempty"`
	Livemode    bool      `json:"livemode,omitempty"`
	RequestedAt time.Time `json:"requested_at"`
	// DoneAt is missing as long as the engine has not removed everything.
	DoneAt     time.Time `json:"done_at,omitzero"`
	Customers  int       `json:"customers"`
	Signals    int       `json:"signals"`
	Scores     int       `json:"scores"`
	Identities int       `json:"identities"`
	// Keys is 1 when the workspace's data key was destroyed: no copy of an identity, in a backup or elsewhere, opens again.
	Keys int `json:"keys"`
}

// ErasureText writes what an erasure has removed.
func ErasureText(w io.Writer, e Erasure) error {
	what := "Workspace " + Printable(e.Workspace)
	if e.Account != "" {
		mode := "test"
		if e.Livemode {
			mode = "live"
		}
		what = "account " + Printable(e.Account) + " (" + mode + ") of " + Printable(e.Workspace)
	}
	if e.DoneAt.IsZero() {
		_, err := fmt.Fprintf(w, "The erasure of %s is asked for and not done yet.\n", what)
		return err
	}
	_, err := fmt.Fprintf(w, "Erased %s: %s, %s, %s, %s.\n", what, count(e.Customers, "customer"), count(e.Identities, "identity", "identities"),
		count(e.Signals, "signal"), count(e.Scores, "daily score"))
	if err == nil && e.Keys > 0 {
		_, err = fmt.Fprintln(w, "Its data key is destroyed: no copy of an identity opens again.")
	}
	return err
}
