// Package errcode owns the ten ERR_* codes that Kustiq shows to people: in conditions, Events, metrics, alerts and
// pages. It knows only their words; who detects them lives elsewhere.
package errcode

import "strings"

// Code is one ERR_* code. It is used verbatim as a condition's reason.
type Code string

// The ten codes.
const (
	ST401          Code = "ERR_ST_401"
	ST403          Code = "ERR_ST_403"
	ModeMismatch   Code = "ERR_MODE_MISMATCH"
	ST429          Code = "ERR_ST_429"
	MatchLow       Code = "ERR_MATCH_LOW"
	WebhookSig     Code = "ERR_WEBHOOK_SIG"
	WebhookStale   Code = "ERR_WEBHOOK_STALE"
	RegionMismatch Code = "ERR_REGION_MISMATCH"
	PlanRequired   Code = "ERR_PLAN_REQUIRED"
	AcctRestricted Code = "ERR_ACCT_RESTRICTED"
)

// Class says who has to act.
type Class string

const (
	// UserAction needs a person; the cause stays watched, since Stripe sends nothing when somebody fixes it.
	UserAction Class = "UserAction"
	// Wait goes away by itself.
	Wait Class = "Wait"
)

// Entry describes a code.
type Entry struct {
	Code Code
	// Title is a few words without a full stop.
	Title string
	// Remedy is one sentence that says what to do.
	Remedy string
	// Anchor is the section of docs/troubleshooting.md.
	Anchor string
	Class  Class
}

var entries = []Entry{
	entry(ST401, UserAction, "Stripe no longer honours the authorisation",
		"Open the connect URL and authorise the account again."),
	entry(ST403, UserAction, "The authorisation lacks a permission",
		"Reconnect as an administrator of the Stripe account and grant all requested read permissions."),
	entry(ModeMismatch, UserAction, "Live and test mode are mixed up",
		"Authorise the account in the connection's own mode, or declare a second connection for the other mode."),
	entry(ST429, Wait, "Stripe limits the request rate",
		"Nothing to do: the backfill slows down and continues by itself; other integrations may be using up the account's limit."),
	entry(MatchLow, UserAction, "Too few customers match a profile with confidence",
		"Review the proposed matches or import more profiles, then rematch."),
	entry(WebhookSig, UserAction, "Events carry a signature that does not verify",
		"Rotate the endpoint's secret; if it persists, something between Stripe and the receiver alters the requests."),
	entry(WebhookStale, UserAction, "Events arrive with a time too far from ours",
		"Correct the receiver's clock, or the proxy that holds requests back for more than five minutes."),
	entry(RegionMismatch, UserAction, "The account's country belongs to another region",
		"Use a Workspace of the account's region, or set the Workspace's crossRegion to Allow."),
	entry(PlanRequired, UserAction, "The Workspace's plan does not include Stripe",
		"Set the Workspace's plan to Pro; the connection resumes by itself."),
	entry(AcctRestricted, UserAction, "Stripe restricts the account",
		"Resolve the open requirements in the account's Stripe dashboard."),
}

func entry(code Code, class Class, title, remedy string) Entry {
	return Entry{Code: code, Class: class, Title: title, Remedy: remedy, Anchor: strings.ToLower(string(code))}
}

// All returns every code's entry, in the order of the constants.
func All() []Entry { return append([]Entry(nil), entries...) }

// Lookup returns a code's entry.
func Lookup(code Code) (Entry, bool) {
	for _, e := range entries {
		if e.Code == code {
			return e, true
		}
	}
	return Entry{}, false
}
