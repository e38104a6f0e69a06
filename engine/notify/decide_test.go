package notify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

var start = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

func scored(score int, tier scoring.Tier, segment bool) scoring.Evaluation {
	return scoring.Evaluation{Score: score, Tier: tier, Segment: segment, P30: float64(score) / 100, MRR: 4900, Currency: "usd",
		ModelVersion: "prior-1", Terms: []scoring.Term{
			{Name: "baseline", LogOdds: -2.9, Points: -41.8}, {Name: "open_dunning", LogOdds: 3, Evidence: []string{"evt_1", "evt_2"}},
			{Name: "price_change", LogOdds: -.5, Evidence: []string{"evt_up"}},
		}}
}

var (
	well     = scored(38, scoring.Normal, false)
	at65     = scored(65, scoring.Normal, true)
	at57     = scored(57, scoring.Normal, false)
	at54     = scored(54, scoring.Normal, false)
	critical = scored(95, scoring.Critical, true)
	leaving  = scored(89, scoring.Leaving, true)
	churned  = scored(100, scoring.Churned, false)
	unscored = scored(0, scoring.Unscored, false)
)

// moment is one evaluation in a customer's life, and what is told of it.
type moment struct {
	after  scoring.Evaluation
	origin Origin
	pass   time.Duration
	kind   signal.Kind
	want   string
}

func live(e scoring.Evaluation, kind signal.Kind, want string) moment {
	return moment{after: e, origin: BySignal, kind: kind, want: want}
}

func later(d time.Duration, e scoring.Evaluation, want string) moment {
	return moment{after: e, origin: ByTime, pass: d, want: want}
}

func read(e scoring.Evaluation) moment { return moment{after: e, origin: ByHistory} }

func TestWhatIsTold(t *testing.T) {
	const (
		failed, paid, disputed = signal.PaymentFailed, signal.PaymentSucceeded, signal.DisputeCreated
		both, back             = AtRisk + " " + ScoreChanged, Recovered + " " + ScoreChanged
	)
	cases := map[string]struct {
		stored *scoring.Evaluation // what is stored although nothing was told; nil for a new customer
		life   []moment
	}{
		"fails twice and pays":                     {&well, []moment{live(at65, failed, both), live(critical, failed, ScoreChanged), live(at57, paid, back)}},
		"never heard of":                           {nil, []moment{live(at65, failed, AtRisk), live(critical, failed, ScoreChanged)}},
		"never heard of, well":                     {nil, []moment{live(well, signal.InvoiceFinalized, ""), live(at65, failed, both)}},
		"at risk already when receivers are named": {&at65, []moment{live(at65, disputed, ""), live(critical, failed, ScoreChanged)}},
		"churns":                {&critical, []moment{live(churned, signal.SubscriptionDeleted, Churned+" "+ScoreChanged), later(time.Hour, churned, "")}},
		"churns and comes back": {&churned, []moment{live(well, signal.SubscriptionObserved, back), live(churned, signal.SubscriptionDeleted, Churned+" "+ScoreChanged)}},
		"comes back at risk":    {&churned, []moment{live(at65, failed, both)}},
		"leaves and stays":      {&well, []moment{live(leaving, signal.CancelScheduled, both), live(scored(51, scoring.Normal, false), signal.CancelWithdrawn, back)}},
		"fades far below":       {&at65, []moment{later(time.Hour, scored(59, scoring.Normal, true), ""), later(time.Hour, scored(55, scoring.Normal, false), ScoreChanged), later(time.Hour, at54, Recovered)}},
		"fades a little":        {&at65, []moment{later(time.Hour, at57, ""), later(23*time.Hour, at57, ""), later(time.Hour, at57, Recovered)}},
		"wavers at the threshold": {&at65, []moment{later(time.Hour, at57, ""), later(time.Hour, scored(61, scoring.Normal, true), ""),
			later(23*time.Hour, at57, ""), later(23*time.Hour, at57, ""), later(time.Hour, at57, Recovered)}},
		"small steps":                    {&well, []moment{later(time.Hour, scored(43, scoring.Normal, false), ""), later(time.Hour, scored(48, scoring.Normal, false), ScoreChanged), later(time.Hour, scored(39, scoring.Normal, false), "")}},
		"another tier, no points":        {&leaving, []moment{live(scored(90, scoring.Critical, true), failed, ScoreChanged)}},
		"a first payment":                {&unscored, []moment{live(well, paid, ""), live(at65, failed, both)}},
		"a failed signup":                {nil, []moment{live(unscored, failed, ""), live(at65, failed, AtRisk)}},
		"history of a customer":          {nil, []moment{read(critical), read(at65), live(critical, failed, ScoreChanged)}},
		"history, then time":             {nil, []moment{read(critical), later(59*time.Minute, at54, ""), later(time.Minute, well, ScoreChanged)}},
		"history of one told before":     {&well, []moment{live(at65, failed, both), read(well), live(at65, failed, "")}},
		"history ends what was told":     {&well, []moment{live(at65, failed, both), read(well), later(59*time.Minute, well, ""), later(time.Minute, well, back), later(time.Hour, well, "")}},
		"history ends it, then an event": {&well, []moment{live(at65, failed, both), read(well), live(well, signal.InvoiceFinalized, back)}},
		"history tells of a churn":       {&well, []moment{live(at65, failed, both), read(churned), later(time.Hour, churned, Churned+" "+ScoreChanged), later(time.Hour, churned, "")}},
		"history brings one back":        {&at65, []moment{live(churned, signal.SubscriptionDeleted, Churned+" "+ScoreChanged), read(well), later(time.Hour, well, back)}},
		"history begins no risk":         {&well, []moment{live(scored(50, scoring.Normal, false), failed, ScoreChanged), read(critical), later(time.Hour, critical, "")}},
		"another model ends it":          {&well, []moment{live(at65, failed, both), {after: well, origin: BySettings}, later(time.Minute, well, back)}},
		"another threshold":              {&at57, []moment{{after: scored(57, scoring.Normal, true), origin: BySettings}, later(time.Hour, scored(57, scoring.Normal, true), "")}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			now, told := start, ""
			before, stored := scoring.Evaluation{}, false
			if c.stored != nil {
				before, stored = *c.stored, true
			}
			for i, m := range c.life {
				now = now.Add(m.pass)
				change := Change{Workspace: "acme/main", Customer: "cus_1", Told: told, Before: before, Stored: stored, After: m.after,
					Origin: m.origin, Threshold: 60, Now: now}
				if m.kind != "" {
					change.Signals = []signal.Signal{{Kind: m.kind, Created: now.Unix(), EventID: "evt_9"}}
				}
				events, next, err := Decide(change)
				if err != nil {
					t.Fatal(err)
				}
				var types []string
				for _, e := range events {
					types = append(types, e.Type)
				}
				if got := strings.Join(types, " "); got != m.want {
					t.Fatalf("moment %d: told %q, want %q", i+1, got, m.want)
				}
				before, stored, told = m.after, true, next
			}
		})
	}
}

func TestTheMessage(t *testing.T) {
	c := Change{Workspace: "acme/main", Livemode: true, Customer: "cus_1", Before: at65, Stored: true, After: critical,
		TopReason: "2 failed payments on an unpaid invoice", Origin: BySignal, Threshold: 60, Now: start,
		Signals: []signal.Signal{{Kind: signal.PaymentFailed, Created: start.Unix() - 1, EventID: "evt_2"},
			{Kind: signal.InvoiceFinalized, Created: start.Unix() - 9, EventID: "evt_0"}}}
	events, told, err := Decide(c)
	if err != nil || len(events) != 1 {
		t.Fatalf("%v %v", events, err)
	}
	want := `{"type":"score.changed","timestamp":"2024-03-01T12:00:00Z","data":{"workspace":"acme/main","livemode":true,` +
		`"customer":"cus_1","score":95,"tier":"Critical","p30":0.95,"at_risk":true,` +
		`"previous":{"score":65,"tier":"Normal","p30":0.65,"at_risk":true},"reason":"2 failed payments on an unpaid invoice",` +
		`"mrr_minor":4900,"currency":"usd","cause":{"kind":"signal","signal":"invoice.payment_failed","event":"evt_2","at":"2024-03-01T11:59:59Z"},` +
		`"evidence":["evt_1","evt_2"],"model_version":"prior-1","evaluated_at":"2024-03-01T12:00:00Z"}}`
	if bodyOf(t, events[0]) != want {
		t.Errorf("%s\nwant\n%s", bodyOf(t, events[0]), want)
	}
	again, _, err := Decide(c)
	if err != nil || again[0].ID != events[0].ID || !strings.HasPrefix(again[0].ID, "msg_") {
		t.Errorf("the same event has another id: %s, %s", events[0].ID, again[0].ID)
	}
	c.Told, c.After, c.TopReason, c.Signals, c.Origin = told, well, "", nil, ByTime
	next, _, err := Decide(c)
	if err != nil || len(next) != 2 || slices.ContainsFunc(next, func(e Event) bool { return e.ID == events[0].ID }) || next[0].ID == next[1].ID {
		t.Fatalf("%v %v", next, err)
	}
	var body struct{ Data data }
	if err := json.Unmarshal([]byte(bodyOf(t, next[0])), &body); err != nil || body.Data.Reason != "The risk has faded with time" ||
		body.Data.Cause.Kind != "time" || body.Data.Previous.Score != 95 {
		t.Errorf("%s %v", bodyOf(t, next[0]), err)
	}
}

func bodyOf(t *testing.T, e Event) string {
	t.Helper()
	text, err := e.Body(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
