package step

import (
	"errors"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
)

// UserActionError stops a chain until a person acts. Nothing tells us when they have, so the resource stays watched at
// its slow, regular pace.
type UserActionError struct {
	// Reason is the condition's reason: an ERR_* code verbatim, or one of the API's reasons.
	Reason string
	// Message is shown to the person and ends in what to do.
	Message string
}

// Error gives the reason and the message.
func (e *UserActionError) Error() string { return e.Reason + ": " + e.Message }

// UserAction stops the chain with one of the ten codes; the message ends in what to do.
func UserAction(code errcode.Code, message string) error {
	return &UserActionError{Reason: string(code), Message: message}
}

// UserActionFor is UserAction for a reason of the API that is not one of the ten codes.
func UserActionFor(reason, message string) error {
	return &UserActionError{Reason: reason, Message: message}
}

// WaitError stops a chain until time has passed or somebody else has moved.
type WaitError struct {
	Reason, Message string
	// After is when to look again at the latest; 0 leaves it to the regular pace and the watches.
	After time.Duration
}

// Error gives the reason and the message.
func (e *WaitError) Error() string { return e.Reason + ": " + e.Message }

// Wait stops the chain; it is run again after d at the latest.
func Wait(reason string, d time.Duration, message string) error {
	return &WaitError{Reason: reason, Message: message, After: d}
}

// Kind is how a step ended.
type Kind int

// The ways in which a step ends.
const (
	// Done: the chain goes on.
	Done Kind = iota
	// NeedsAction: a person must act.
	NeedsAction
	// Waiting: time must pass.
	Waiting
	// Failed: something went wrong that may go right next time.
	Failed
)

// Outcome is what a step's error means.
type Outcome struct {
	Kind Kind
	// Reason and Message are for the condition; a Failed outcome has none, since an error is not for showing.
	Reason, Message string
	After           time.Duration
	// Err is set for Failed only.
	Err error
}

// OutcomeOf maps an error of a step. This is the only place that does.
func OutcomeOf(err error) Outcome {
	var action *UserActionError
	var wait *WaitError
	switch {
	case err == nil:
		return Outcome{Kind: Done}
	case errors.As(err, &action):
		return Outcome{Kind: NeedsAction, Reason: action.Reason, Message: action.Message}
	case errors.As(err, &wait):
		return Outcome{Kind: Waiting, Reason: wait.Reason, Message: wait.Message, After: wait.After}
	}
	return Outcome{Kind: Failed, Err: err}
}
