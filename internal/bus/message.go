package bus

import (
	"strconv"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
)

// Message carries the signals of one Stripe event, or of one listed object, to the engine.
type Message struct {
	// Workspace is "namespace/name"; Connection the StripeConnection's uid; Account the acct_ id.
	Workspace  string `json:"workspace"`
	Connection string `json:"connection"`
	Account    string `json:"account"`
	Livemode   bool   `json:"livemode"`
	// EventID and EventType are empty for a listed object.
	EventID   string `json:"event_id,omitempty"`
	EventType string `json:"event_type,omitempty"`
	// Created is when it happened at Stripe, in unix seconds.
	Created int64 `json:"created"`
	// ReceivedAtMs is when it reached us, in unix milliseconds.
	ReceivedAtMs int64           `json:"received_at_ms"`
	Signals      []signal.Signal `json:"signals"`
	// Failure says why there are no signals of the event, which is then listed as failed.
	Failure Failure `json:"failure,omitempty"`
	// Redrive marks what somebody asked for once more, at that instant in unix milliseconds. It may have no signals.
	Redrive int64 `json:"redrive,omitempty"`
	// Trace is the receiver's span (W3C traceparent), under which the engine's goes; empty when nobody traces. It is here
	// and not in a header, because several messages travel as one entry of the stream.
	Trace string `json:"trace,omitempty"`
}

// Failure is a reason why an event has no signals.
type Failure string

// The values of Failure.
const (
	// FailureUndecodable marks a genuine event that is not as Stripe documents it.
	FailureUndecodable Failure = "undecodable"
	// FailureGone marks one that Stripe does not have any more: it keeps events for 30 days.
	FailureGone Failure = "gone"
	// FailureDisconnected marks one of an account whose connection has gone, so that Stripe cannot be asked.
	FailureDisconnected Failure = "disconnected"
	// FailureUnreachable marks one that could not be fetched from Stripe in any try.
	FailureUnreachable Failure = "unreachable"
)

// id makes a message known again: by its event, else by its first signal. One that was asked for once more is another.
func (m Message) id() string {
	id := m.EventID
	if id == "" && len(m.Signals) > 0 {
		id = m.Signals[0].ID
	}
	id = m.Workspace + "/" + m.Account + "/" + id
	if m.Redrive != 0 {
		id += "/" + strconv.FormatInt(m.Redrive, 10)
	}
	return id
}

// empty says that there is nothing for an engine to do.
func (m Message) empty() bool { return len(m.Signals) == 0 && m.Failure == "" && m.Redrive == 0 }

// TaskKind says what a worker has to do.
type TaskKind string

// The kinds of tasks.
const (
	TaskBackfill TaskKind = "backfill"
	TaskDispute  TaskKind = "dispute"
	TaskRedrive  TaskKind = "redrive"
)

// Task is work for any one worker.
type Task struct {
	Kind     TaskKind      `json:"kind"`
	Backfill *BackfillTask `json:"backfill,omitempty"`
	// Dispute is a message whose dispute has no customer yet.
	Dispute *Message     `json:"dispute,omitempty"`
	Redrive *RedriveTask `json:"redrive,omitempty"`
}

// RedriveTask asks for one event to be fetched from Stripe and taken once more.
type RedriveTask struct {
	Workspace string `json:"workspace"`
	// Connection is the uid of the StripeConnection that the event came through.
	Connection string `json:"connection"`
	Account    string `json:"account"`
	Livemode   bool   `json:"livemode"`
	EventID    string `json:"event_id"`
	EventType  string `json:"event_type"`
	// RequestedAtMs is when somebody asked for it, in unix milliseconds.
	RequestedAtMs int64 `json:"requested_at_ms"`
}

// BackfillTask asks for the history of one account.
type BackfillTask struct {
	// UID, Namespace and Name are the Backfill's; Connection is its StripeConnection's uid.
	UID        string `json:"uid"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	Connection string `json:"connection"`
	Workspace  string `json:"workspace"`
	Account    string `json:"account"`
	Livemode   bool   `json:"livemode"`
	// Window is 30d, 90d or AllTime.
	Window string `json:"window"`
	// Since is the earliest happening to be read, in unix seconds; 0 leaves that to Window.
	Since int64 `json:"since,omitempty"`
	// Until is when live events took over, in unix seconds: nothing later is read.
	Until int64 `json:"until"`
}

// Route tells the receiver whose events an account's are. Its key is RouteKey.
type Route struct {
	Workspace  string `json:"workspace"`
	Connection string `json:"connection"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	Account    string `json:"account"`
	Livemode   bool   `json:"livemode"`
	// Since is when the account was connected, in unix seconds.
	Since int64 `json:"since"`
}

// RouteKey is the key of an account's route in one mode.
func RouteKey(account string, livemode bool) string { return account + "." + ModeToken(livemode) }

// ModeToken is "live" or "test".
func ModeToken(livemode bool) string {
	if livemode {
		return "live"
	}
	return "test"
}

// Endpoint tells the receiver which signing secrets are good. Its key is ModeToken.
type Endpoint struct {
	// ID of the endpoint that Stripe uses now.
	ID string `json:"id"`
	// ClientID of the platform that the endpoint belongs to, ca_…: a withdrawn grant names it.
	ClientID string `json:"client_id,omitempty"`
	// Generation counts the signing secrets of this region and mode, from 1. APIVersion is what events are rendered in.
	Generation int64  `json:"generation"`
	APIVersion string `json:"api_version,omitempty"`
	// Secrets are sealed with the bus keyset, each in the context "endpoint/" and the id at the same index of SecretIDs.
	Secrets   [][]byte `json:"secrets"`
	SecretIDs []string `json:"secret_ids"`
}

// Health is what the receiver saw of one connection. Its key is the connection's uid. Times are unix seconds.
type Health struct {
	Accepted          int64 `json:"accepted"`
	Duplicates        int64 `json:"duplicates"`
	Ignored           int64 `json:"ignored"`
	LastEventAt       int64 `json:"last_event_at"`
	LastVerifiedAt    int64 `json:"last_verified_at"`
	RejectedSignature int64 `json:"rejected_signature"`
	RejectedAge       int64 `json:"rejected_age"`
	// LastRejectedAt and LastRejectedCode tell of the last genuine event that was rejected, for its age or its mode.
	LastRejectedAt   int64  `json:"last_rejected_at"`
	LastRejectedCode string `json:"last_rejected_code,omitempty"`
	// LastUnprovenAt tells of the last request whose signature was good for nothing and which named LastUnprovenEvent.
	// Anybody can post one: whether it is an event of the account is for Stripe to say.
	LastUnprovenAt    int64  `json:"last_unproven_at,omitempty"`
	LastUnprovenEvent string `json:"last_unproven_event,omitempty"`
	// SkewSeconds of the last event rejected for its age: positive when the event lay in the past.
	SkewSeconds int64 `json:"skew_seconds"`
	// DeauthorizedAt is when Stripe said that the account withdrew its grant.
	DeauthorizedAt int64 `json:"deauthorized_at"`
	// AccountUpdatedAt is when Stripe said that the account changed.
	AccountUpdatedAt int64 `json:"account_updated_at"`
}

// Offer lets the dashboard send somebody to Stripe's consent page. Its key is the connection's uid.
type Offer struct {
	// AuthorizeURL lacks state and redirect_uri.
	AuthorizeURL string `json:"authorize_url"`
	Livemode     bool   `json:"livemode"`
}

// Grant hands an OAuth code from the dashboard to the operator. Its key is the connection's uid.
type Grant struct {
	// SealedCode is sealed with the bus keyset in the context "grant/" and the uid.
	SealedCode []byte `json:"sealed_code,omitempty"`
	// At is in unix seconds.
	At int64 `json:"at"`
	// Error is Stripe's, such as access_denied; then there is no code.
	Error string `json:"error,omitempty"`
	// Claimed says that the code is being redeemed or was when the operator ended; there is no code any more.
	Claimed bool `json:"claimed,omitempty"`
}

// MatchPolicy tells the engine how one account's customers are matched to profiles. Its key is RouteKey.
type MatchPolicy struct {
	Workspace  string `json:"workspace"`
	Connection string `json:"connection"`
	Account    string `json:"account"`
	Livemode   bool   `json:"livemode"`
	// MinimumConfidence, 90 to 100, of a match that may feed a score.
	MinimumConfidence int `json:"minimum_confidence"`
	// RematchAt asks for all customers to be matched again whenever it changes.
	RematchAt string `json:"rematch_at,omitempty"`
}

// Matches counts one account's customers by the state of their match. Its key is RouteKey.
type Matches struct {
	// Profiles that the workspace has imported.
	Profiles int64 `json:"profiles"`
	// Matched customers feed a profile's score; those in Review have candidates below the minimum confidence.
	Matched   int64 `json:"matched"`
	Review    int64 `json:"review"`
	Unmatched int64 `json:"unmatched"`
	// MinimumConfidence and RematchAt of the policy that the counts were made under.
	MinimumConfidence int    `json:"minimum_confidence"`
	RematchAt         string `json:"rematch_at,omitempty"`
	// At is when they were counted, in unix seconds.
	At int64 `json:"at"`
}

// Erasure asks the engine to remove what one account, or without an account the whole workspace, has left in the store, and
// tells what was removed. Its key is the connection's uid, or begins with erase- when the dashboard asks. Times are unix seconds; DoneAt is 0 until it is done.
type Erasure struct {
	Workspace   string `json:"workspace"`
	Account     string `json:"account"`
	Livemode    bool   `json:"livemode"`
	RequestedAt int64  `json:"requested_at"`
	DoneAt      int64  `json:"done_at,omitempty"`
	Customers   int    `json:"customers,omitempty"`
	Signals     int    `json:"signals,omitempty"`
	Scores      int    `json:"scores,omitempty"`
	Identities  int    `json:"identities,omitempty"`
	// Keys is 1 when the data key of the workspace was destroyed.
	Keys int `json:"keys,omitempty"`
}

// Nonce marks an OAuth state as used. Its key is the state's nonce.
type Nonce struct {
	UsedAt int64 `json:"used_at"`
}

// MaxSession is the longest that somebody can stay signed in to the dashboard.
const MaxSession = 24 * time.Hour

// Session is one browser of somebody who has signed in to the dashboard. Its key is a hash of what the browser's cookie
// holds.
type Session struct {
	// Sealed says who it is and since when, in the context "dashboard/signed-in/" and the key.
	Sealed []byte `json:"sealed"`
}
