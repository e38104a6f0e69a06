package notify

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

// Hysteresis: a score that moves to and fro about the threshold is told once.
const (
	// recoverBelow is how many points below the threshold a score must be for time alone to end the risk at once.
	recoverBelow = 5
	// recoverAfter is how long a customer must have been out of the segment otherwise.
	recoverAfter = 24 * time.Hour
	// changedBy is by how many points a score must differ from the one told last: they double the odds, or halve them.
	changedBy = 10
	// quietAfter is how long time alone announces nothing of a customer after more of its history was read.
	quietAfter = time.Hour
)

// Origin is what brought a change about.
type Origin int

// The origins.
const (
	// ByTime is a re-evaluation without any signal.
	ByTime Origin = iota
	// BySignal is a live signal.
	BySignal
	// ByHistory is a backfill. It announces nothing itself: what it finds out has happened before anybody listened.
	ByHistory
	// BySettings is a changed threshold or model. It announces nothing either: nothing has happened to the customer.
	BySettings
)

// Change is one evaluation of a customer, beside the one before it.
type Change struct {
	Workspace string
	Livemode  bool
	Customer  string
	// Told is what receivers were told last, as Decide returned it; empty when nothing was.
	Told string
	// Before is the stored evaluation; Stored is false when there is none.
	Before scoring.Evaluation
	Stored bool
	After  scoring.Evaluation
	// TopReason is the strongest term in words.
	TopReason string
	Origin    Origin
	// Signals that brought it about.
	Signals []signal.Signal
	// Threshold is the score from which a customer is at risk.
	Threshold int
	Now       time.Time
}

// Told is what the receivers of a customer's events were last told. The zero value knows nothing.
type Told struct {
	Tier    string  `json:"tier,omitempty"`
	Score   int     `json:"score,omitempty"`
	P30     float64 `json:"p30,omitempty"`
	AtRisk  bool    `json:"at_risk,omitempty"`
	Churned bool    `json:"churned,omitempty"`
	// OutSince is since when a customer told to be at risk is no longer in the segment, in unix seconds.
	OutSince int64 `json:"out_since,omitempty"`
	// QuietUntil is until when time alone announces nothing, in unix seconds.
	QuietUntil int64 `json:"quiet_until,omitempty"`
	// Events counts the customer's events.
	Events int `json:"events,omitempty"`
}

// known is whether there is a score to compare with.
func (t Told) known() bool { return t.Tier != "" && t.Tier != string(scoring.Unscored) }

// standing is what an evaluation would be told as.
func (t Told) standing(e scoring.Evaluation) Told {
	return Told{Tier: string(e.Tier), Score: e.Score, P30: e.P30, AtRisk: e.Segment, Churned: e.Tier == scoring.Churned,
		QuietUntil: t.QuietUntil, Events: t.Events}
}

// Decide returns what is news about a change, in order, and what receivers are taken to know from then on.
func Decide(c Change) (events []Event, told string, err error) {
	before, err := c.before()
	if err != nil {
		return nil, "", err
	}
	types, next := c.news(before)
	for _, eventType := range types {
		next.Events++
		events = append(events, c.event(eventType, before, next.Events))
	}
	encoded, err := json.Marshal(next)
	if err != nil {
		return nil, "", fmt.Errorf("encode what was told: %w", err)
	}
	return events, string(encoded), nil
}

// before is what receivers know; where nobody has kept that, the stored evaluation stands for it.
func (c Change) before() (t Told, err error) {
	switch {
	case c.Told != "":
		if json.Unmarshal([]byte(c.Told), &t) != nil {
			return t, fmt.Errorf("what was told of a customer cannot be decoded")
		}
	case c.Stored:
		t = t.standing(c.Before)
	}
	return t, nil
}

// news compares what is known with what is.
func (c Change) news(told Told) (types []string, next Told) {
	now := c.Now.Unix()
	switch {
	case c.Origin == ByHistory:
		told.QuietUntil = c.Now.Add(quietAfter).Unix()
		return nil, told.silently(c.After)
	case c.Origin == BySettings, c.Origin == ByTime && now < told.QuietUntil, c.After.Tier == scoring.Unscored:
		return nil, told.silently(c.After)
	}
	next = told
	if c.After.Segment || c.After.Tier == scoring.Churned {
		next.OutSince = 0
	}
	switch churned := c.After.Tier == scoring.Churned; {
	case churned && !told.Churned:
		types = append(types, Churned)
	case churned: // and told so
	case c.After.Segment && !told.AtRisk:
		types = append(types, AtRisk)
	case !c.After.Segment && (told.Churned || told.AtRisk && c.recovered(told)):
		types = append(types, Recovered)
	case !c.After.Segment && told.AtRisk && told.OutSince == 0:
		next.OutSince = now
	}
	if told.known() && (told.Tier != string(c.After.Tier) || abs(told.Score-c.After.Score) >= changedBy) {
		types = append(types, ScoreChanged)
	}
	switch {
	case len(types) == 0 && told.known():
		return nil, next
	case len(types) == 1 && types[0] == ScoreChanged:
		// Whether the customer is at risk was not told by it.
		next.Tier, next.Score, next.P30 = string(c.After.Tier), c.After.Score, c.After.P30
		return types, next
	}
	return types, next.standing(c.After)
}

// silently is what is known after an evaluation that nobody is told of. It begins no risk that would have to be told later;
// but an event that was sent stands until another ends it: who was told of a risk, or a churn, that is over hears so from
// the next evaluation that tells.
func (t Told) silently(e scoring.Evaluation) Told {
	if t.Events > 0 && (t.AtRisk && !e.Segment || t.Churned && e.Tier != scoring.Churned) {
		return t
	}
	return t.standing(e)
}

// recovered is whether a customer that has left the segment is told to have recovered: at once when a recovery signal
// took it out or the score is clearly below the threshold, otherwise after a day.
func (c Change) recovered(told Told) bool {
	for _, s := range c.Signals {
		switch s.Kind {
		case signal.PaymentSucceeded, signal.SubscriptionResumed, signal.SubscriptionUpgraded, signal.CancelWithdrawn:
			return true
		}
	}
	return c.After.Score < c.Threshold-recoverBelow ||
		(told.OutSince > 0 && c.Now.Sub(time.Unix(told.OutSince, 0)) >= recoverAfter)
}

func abs(n int) int { return max(n, -n) }
