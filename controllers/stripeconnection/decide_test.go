package stripeconnection

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestRegionOfCountry(t *testing.T) {
	for country, want := range map[string]v1alpha1.Region{
		"DE": v1alpha1.RegionEU, "IE": v1alpha1.RegionEU, "NO": v1alpha1.RegionEU, "GB": v1alpha1.RegionEU, "CH": v1alpha1.RegionEU, "fr": v1alpha1.RegionEU,
		"US": v1alpha1.RegionUS, "CA": v1alpha1.RegionUS, "AU": v1alpha1.RegionUS, "JP": v1alpha1.RegionUS, "": v1alpha1.RegionUS,
	} {
		if got := regionOfCountry(country); got != want {
			t.Errorf("%q belongs to %s, want %s", country, got, want)
		}
	}
	if got := len(europeans); got != 32 { // 27 of the EU, 3 more of the EEA, the UK and Switzerland
		t.Errorf("%d countries belong to EU", got)
	}
}

func TestRestriction(t *testing.T) {
	good := stripeapi.AccountInfo{ChargesEnabled: true, DetailsSubmitted: true}
	for name, tc := range map[string]struct {
		change func(*stripeapi.AccountInfo)
		want   string
	}{
		"active":            {func(*stripeapi.AccountInfo) {}, ""},
		"disabled":          {func(a *stripeapi.AccountInfo) { a.DisabledReason = "requirements.past_due" }, "requirements.past_due"},
		"no charges":        {func(a *stripeapi.AccountInfo) { a.ChargesEnabled = false }, "it cannot take payments"},
		"unfinished set-up": {func(a *stripeapi.AccountInfo) { a.ChargesEnabled, a.DetailsSubmitted = false, false }, "its details were not submitted"},
	} {
		account := good
		tc.change(&account)
		if got := restriction(account); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestNextRotation(t *testing.T) {
	token := tokenstore.Record{Generation: 1, RotatedAt: noon}
	spread := map[time.Time]bool{}
	for _, uid := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		due := nextRotation(token, uid)
		if due.After(noon.Add(rotationInterval)) || due.Before(noon.Add(rotationInterval-rotationSpread)) {
			t.Errorf("%s is due at %s", uid, due)
		}
		if due != nextRotation(token, uid) {
			t.Errorf("%s: another answer after a restart", uid)
		}
		spread[due] = true
	}
	if len(spread) < 6 {
		t.Errorf("eight connections rotate at %d moments", len(spread))
	}
	token.ExpiresAt = noon.Add(time.Hour)
	if got, want := nextRotation(token, "a"), noon.Add(50*time.Minute); got != want {
		t.Errorf("a token of one hour is due at %s, want %s", got, want)
	}
}

func TestRetryAfter(t *testing.T) {
	want := []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 30 * time.Minute, 30 * time.Minute}
	for i, want := range want {
		if got := retryAfter(i + 1); got != want {
			t.Errorf("attempt %d: %s, want %s", i+1, got, want)
		}
	}
}

func TestProbeStale(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*scope, *bus.Health)
		want   bool
	}{
		"just asked":           {func(*scope, *bus.Health) {}, false},
		"before the next pace": {func(s *scope, _ *bus.Health) { s.now = noon.Add(probeAfter - time.Second) }, false},
		"at the next pace":     {func(s *scope, _ *bus.Health) { s.now = noon.Add(probeAfter) }, true},
		"of a slower pace":     {func(s *scope, _ *bus.Health) { s.now, s.stretched = noon.Add(probeAfter), 11*time.Minute }, false},
		"another token":        {func(s *scope, _ *bus.Health) { s.token.Generation = 2 }, true},
		"somebody insists": {func(s *scope, _ *bus.Health) {
			s.conn.Annotations = map[string]string{v1alpha1.ReconcileAtAnnotation: "x"}
		}, true},
		"withdrawn before that": {func(_ *scope, h *bus.Health) { h.DeauthorizedAt = noon.Unix() - 1 }, false},
		"withdrawn since":       {func(_ *scope, h *bus.Health) { h.DeauthorizedAt = noon.Unix() + 1 }, true},
		"changed since":         {func(_ *scope, h *bus.Health) { h.AccountUpdatedAt = noon.Unix() + 1 }, true},
	} {
		s := &scope{conn: &v1alpha1.StripeConnection{}, now: noon, token: &tokenstore.Record{Generation: 1}}
		var health bus.Health
		tc.change(s, &health)
		last := &probeResult{at: noon, generation: 1}
		if got := last.stale(s, health); got != tc.want {
			t.Errorf("%s: stale %v, want %v", name, got, tc.want)
		}
	}
}

func TestPlanEndpoint(t *testing.T) {
	spec := endpointSpec("inst", slot{region: "EU", mode: live, url: "https://eu.example/webhooks/stripe/live"})
	endpoint := func(id string, change ...func(*stripeapi.Endpoint)) stripeapi.Endpoint {
		e := stripeapi.Endpoint{ID: id, URL: spec.URL, Status: "enabled", APIVersion: stripeapi.APIVersion, Events: spec.Events, Metadata: maps.Clone(spec.Metadata)}
		for _, c := range change {
			c(&e)
		}
		return e
	}
	meta := func(key, value string) func(*stripeapi.Endpoint) {
		return func(e *stripeapi.Endpoint) { e.Metadata[key] = value }
	}
	changed := func(change func(*stripeapi.Endpoint)) []stripeapi.Endpoint {
		return []stripeapi.Endpoint{endpoint("we_1", change)}
	}
	held := heldEndpoint{Endpoint: bus.Endpoint{ID: "we_1", SecretIDs: []string{"we_1"}}}
	replacing := heldEndpoint{Endpoint: bus.Endpoint{ID: "we_1", SecretIDs: []string{"we_1", "we_0"}}, Retiring: &retiringEndpoint{ID: "we_0"}, RotatedFor: "now"}
	replaced := replacing
	replaced.Retiring = &retiringEndpoint{ID: "we_0", Removed: true}
	for name, tc := range map[string]struct {
		listed   []stripeapi.Endpoint
		held     heldEndpoint
		rotation string
		want     endpointPlan
	}{
		"none":                     {want: endpointPlan{create: true}},
		"as declared":              {listed: []stripeapi.Endpoint{endpoint("we_1")}, held: held, want: endpointPlan{keep: "we_1"}},
		"ours, secret unknown":     {listed: []stripeapi.Endpoint{endpoint("we_1")}, want: endpointPlan{create: true, strays: []string{"we_1"}}},
		"held one gone":            {held: held, want: endpointPlan{create: true}},
		"left over beside it":      {listed: []stripeapi.Endpoint{endpoint("we_0"), endpoint("we_1")}, held: held, want: endpointPlan{keep: "we_1", strays: []string{"we_0"}}},
		"another installation's":   {listed: changed(meta(metaInstallation, "x")), held: held, want: endpointPlan{create: true}},
		"another region's":         {listed: changed(meta(metaRegion, "us")), held: held, want: endpointPlan{create: true}},
		"another mode's":           {listed: changed(meta(metaMode, "test")), held: held, want: endpointPlan{create: true}},
		"disabled":                 {listed: changed(func(e *stripeapi.Endpoint) { e.Status = "disabled" }), held: held, want: endpointPlan{keep: "we_1", repair: "EndpointDisabled"}},
		"elsewhere":                {listed: changed(func(e *stripeapi.Endpoint) { e.URL = "https://old.example" }), held: held, want: endpointPlan{keep: "we_1", repair: "EndpointDrift"}},
		"an event missing":         {listed: changed(func(e *stripeapi.Endpoint) { e.Events = e.Events[1:] }), held: held, want: endpointPlan{keep: "we_1", repair: "EndpointDrift"}},
		"events in another order":  {listed: changed(func(e *stripeapi.Endpoint) { e.Events = slices.Sorted(slices.Values(e.Events)) }), held: held, want: endpointPlan{keep: "we_1"}},
		"of another API version":   {listed: changed(func(e *stripeapi.Endpoint) { e.APIVersion = "2020-08-27" }), held: held, want: endpointPlan{keep: "we_1", create: true}},
		"a new secret asked for":   {listed: []stripeapi.Endpoint{endpoint("we_1")}, held: held, rotation: "now", want: endpointPlan{keep: "we_1", create: true}},
		"being replaced":           {listed: []stripeapi.Endpoint{endpoint("we_0"), endpoint("we_1")}, held: replacing, rotation: "again", want: endpointPlan{keep: "we_1"}},
		"replaced, one comes back": {listed: []stripeapi.Endpoint{endpoint("we_0"), endpoint("we_1")}, held: replaced, want: endpointPlan{keep: "we_1", strays: []string{"we_0"}}},
	} {
		got := planEndpoint(tc.listed, tc.held, spec, tc.rotation)
		if got.keep != tc.want.keep || got.repair != tc.want.repair || got.create != tc.want.create || !slices.Equal(got.strays, tc.want.strays) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestASecretIsReplacedByOverlap(t *testing.T) {
	first := heldEndpoint{Endpoint: bus.Endpoint{ID: "we_1", SecretIDs: []string{"we_1"}, Secrets: [][]byte{{1}}, Generation: 1}}
	made := first.replacedBy("we_1", "uid/now", noon)
	made.ID, made.SecretIDs, made.Secrets = "we_2", []string{"we_2", "we_1"}, [][]byte{{2}, {1}}
	switch {
	case made.wants("uid/now"), made.wants("uid/again"):
		t.Error("a request is granted twice")
	case made.due(noon.Add(secretOverlap - time.Second)), !made.due(noon.Add(secretOverlap)):
		t.Error("the endpoint before leaves at another time than after the overlap")
	}
	after := made.without("we_1")
	if after.Retiring != nil || !slices.Equal(after.SecretIDs, []string{"we_2"}) || len(after.Secrets) != 1 || after.Secrets[0][0] != 2 {
		t.Errorf("left with %+v", after)
	}
	if !after.wants("uid/again") {
		t.Error("no further secret can be asked for")
	}
	if lost := first.replacedBy("", "", noon); lost.Retiring == nil || !lost.Retiring.Removed || !lost.due(noon.Add(secretAfterlife)) {
		t.Errorf("what a removed endpoint signed last is refused: %+v", lost)
	}
	if len(first.SecretIDs) != 1 || first.Retiring != nil {
		t.Error("the value that was replaced has changed")
	}
}

func TestJudgeEvents(t *testing.T) {
	standing := func(reason string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionEventsVerified, Status: metav1.ConditionFalse, Reason: reason, LastTransitionTime: metav1.Unix(20, 0)}}
	}
	forged := func(verified, at int64, event string) bus.Health {
		return bus.Health{LastVerifiedAt: verified, LastUnprovenAt: at, LastUnprovenEvent: event}
	}
	rejected := func(verified, at int64, code string) bus.Health {
		return bus.Health{LastVerifiedAt: verified, LastRejectedAt: at, LastRejectedCode: code, LastUnprovenAt: 30, LastUnprovenEvent: "evt_unknown"}
	}
	for name, tc := range map[string]struct {
		health bus.Health
		before []metav1.Condition
		reason string // of the stop; "" when the condition is True
		shown  string
	}{
		"nothing yet":                  {bus.Health{}, nil, "", v1alpha1.ReasonAwaitingFirstEvent},
		"a good one":                   {bus.Health{LastVerifiedAt: 10}, nil, "", v1alpha1.ReasonVerified},
		"stale since":                  {rejected(9, 10, "ERR_WEBHOOK_STALE"), nil, v1alpha1.ReasonWebhookStale, ""},
		"forged while they are stale":  {rejected(9, 10, "ERR_WEBHOOK_STALE"), standing(v1alpha1.ReasonWebhookStale), v1alpha1.ReasonWebhookStale, ""},
		"good again":                   {rejected(11, 10, "ERR_WEBHOOK_STALE"), standing(v1alpha1.ReasonWebhookStale), "", v1alpha1.ReasonVerified},
		"of the other mode":            {rejected(0, 10, "ERR_MODE_MISMATCH"), nil, v1alpha1.ReasonModeMismatch, ""},
		"forged while modes differ":    {rejected(9, 10, "ERR_MODE_MISMATCH"), standing(v1alpha1.ReasonModeMismatch), v1alpha1.ReasonModeMismatch, ""},
		"forged, naming another":       {forged(9, 10, "evt_unknown"), nil, "", v1alpha1.ReasonVerified},
		"forged, and none was good":    {forged(0, 10, "evt_unknown"), nil, "", v1alpha1.ReasonAwaitingFirstEvent},
		"genuine, and does not verify": {forged(9, 10, "evt_known"), nil, v1alpha1.ReasonWebhookSig, ""},
		"forged meanwhile":             {forged(9, 30, "evt_unknown"), standing(v1alpha1.ReasonWebhookSig), v1alpha1.ReasonWebhookSig, ""},
		"forged after it was mended":   {forged(25, 30, "evt_unknown"), standing(v1alpha1.ReasonWebhookSig), "", v1alpha1.ReasonVerified},
	} {
		s := &scope{conditions: kube.NewConditions(tc.before, 1, noon), uid: "u", token: &tokenstore.Record{}, now: noon}
		r := &Reconciler{memory: newMemory()}
		r.memory.change("u", func(m *remembered) {
			m.claim = claimedEvent{event: tc.health.LastUnprovenEvent, known: tc.health.LastUnprovenEvent == "evt_known"}
		})
		err := r.judgeEvents(t.Context(), s, tc.health)
		if got := step.OutcomeOf(err).Reason; got != tc.reason {
			t.Errorf("%s: stopped by %q, want %q", name, got, tc.reason)
		}
		if tc.reason == "" && s.conditions.Get(v1alpha1.ConditionEventsVerified).Reason != tc.shown {
			t.Errorf("%s: %+v", name, s.conditions.Get(v1alpha1.ConditionEventsVerified))
		}
	}
}

func TestASkewIsTold(t *testing.T) {
	for skew, want := range map[int64]string{420: "420 s behind ours", -301: "301 s ahead of ours"} {
		err := rejected(bus.Health{LastRejectedCode: "ERR_WEBHOOK_STALE", SkewSeconds: skew})
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", skew, err)
		}
	}
}

func TestInterruptedSince(t *testing.T) {
	connected := noon.Add(-time.Hour)
	for name, tc := range map[string]struct {
		scope  scope
		health bus.Health
		want   time.Time
	}{
		"nothing is wrong":             {},
		"withdrawn":                    {scope: scope{withdraw: true}, want: noon.Add(-interruptMargin)},
		"found lost":                   {scope: scope{lost: true}, want: noon.Add(-2 * regularPace)},
		"found lost by rare probes":    {scope: scope{lost: true, stretched: 11 * time.Minute}, want: noon.Add(-22 * time.Minute)},
		"told lost, and late":          {scope: scope{lost: true}, health: bus.Health{DeauthorizedAt: noon.Add(-30 * time.Minute).Unix()}, want: noon.Add(-30*time.Minute - interruptMargin)},
		"told of an earlier time":      {scope: scope{lost: true}, health: bus.Health{DeauthorizedAt: 1}, want: connected},
		"withdrawn as it is connected": {scope: scope{withdraw: true, now: connected}, want: connected},
	} {
		s := tc.scope
		if s.now.IsZero() {
			s.now = noon
		}
		s.status = &v1alpha1.StripeConnectionStatus{ConnectedAt: timeOf(connected)}
		got := interruptedSince(&s, tc.health)
		if (got == nil) != tc.want.IsZero() || (got != nil && !got.Time.Equal(tc.want)) {
			t.Errorf("%s: %v, want %s", name, got, tc.want)
		}
	}
}

func TestRefusedSince(t *testing.T) {
	refused := func(mode v1alpha1.Mode, ago time.Duration, status metav1.ConditionStatus) *scope {
		before := []metav1.Condition{{Type: v1alpha1.ConditionEventsVerified, Status: status, Reason: "ERR_WEBHOOK_SIG",
			LastTransitionTime: metav1.NewTime(noon.Add(-ago))}}
		return &scope{now: noon, conn: &v1alpha1.StripeConnection{Spec: v1alpha1.StripeConnectionSpec{Mode: mode}}, conditions: kube.NewConditions(before, 1, noon)}
	}
	verified := func(ago time.Duration) bus.Health { return bus.Health{LastVerifiedAt: noon.Add(-ago).Unix()} }
	for name, tc := range map[string]struct {
		s      *scope
		health bus.Health
		want   time.Time
	}{
		"for four days":            {refused(v1alpha1.ModeLive, 4*day, metav1.ConditionFalse), verified(time.Second), noon.Add(-4*day - 2*regularPace)},
		"for a day":                {refused(v1alpha1.ModeLive, day, metav1.ConditionFalse), verified(time.Second), time.Time{}},
		"for a day, in test mode":  {refused(v1alpha1.ModeTest, day, metav1.ConditionFalse), verified(time.Second), noon.Add(-day - 2*regularPace)},
		"none is accepted yet":     {refused(v1alpha1.ModeLive, 4*day, metav1.ConditionFalse), verified(5 * day), time.Time{}},
		"they were never refused":  {refused(v1alpha1.ModeLive, 4*day, metav1.ConditionTrue), verified(time.Second), time.Time{}},
		"none has ever been heard": {&scope{now: noon, conditions: kube.NewConditions(nil, 1, noon)}, bus.Health{}, time.Time{}},
	} {
		if got := refusedSince(tc.s, tc.health); !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestOutageSince(t *testing.T) {
	connected := noon.Add(-9 * day)
	event := func(ago time.Duration) bus.Health { return bus.Health{LastVerifiedAt: noon.Add(-ago).Unix()} }
	for name, tc := range map[string]struct {
		looked time.Time
		health bus.Health
		want   time.Time
	}{
		"the last look is later":        {noon.Add(-5 * time.Minute), event(time.Hour), noon.Add(-5*time.Minute - interruptMargin)},
		"the last event is later":       {noon.Add(-2 * day), event(time.Hour), noon.Add(-time.Hour - interruptMargin)},
		"nobody has looked":             {time.Time{}, event(time.Hour), noon.Add(-time.Hour - interruptMargin)},
		"an event came after it":        {noon.Add(-5 * time.Minute), event(-time.Minute), noon.Add(-5*time.Minute - interruptMargin)},
		"nothing is known of that time": {time.Time{}, event(-time.Minute), connected},
	} {
		if got := outageSince(outage{Since: tc.looked, Until: noon}, tc.health, connected); !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestOutagesCloseTogetherAreOne(t *testing.T) {
	first := heldEndpoint{}.mended(noon.Add(-time.Minute), noon)
	again := first.mended(noon.Add(2*time.Minute), noon.Add(3*time.Minute))
	later := again.mended(noon.Add(day), noon.Add(day+time.Minute))
	if again.Mended.Since != noon.Add(-time.Minute) || !again.Mended.Until.Equal(noon.Add(3*time.Minute)) || later.Mended.Since != noon.Add(day) {
		t.Errorf("%+v, then %+v", again.Mended, later.Mended)
	}
}

func TestWindowFor(t *testing.T) {
	for gap, want := range map[time.Duration]v1alpha1.Window{
		time.Hour: v1alpha1.Window30d, 29 * day: v1alpha1.Window30d, 30 * day: v1alpha1.Window90d, 89 * day: v1alpha1.Window90d, 90 * day: v1alpha1.WindowAllTime,
	} {
		if got := windowFor(gap); got != want {
			t.Errorf("%s: %s, want %s", gap, got, want)
		}
	}
}

func TestJudgeMatches(t *testing.T) {
	for name, tc := range map[string]struct {
		counts bus.Matches
		want   string
	}{
		"no profiles":      {bus.Matches{Unmatched: 10}, v1alpha1.ReasonNoProfiles},
		"no customers yet": {bus.Matches{Profiles: 10}, v1alpha1.ReasonMatched},
		"enough":           {bus.Matches{Profiles: 10, Matched: 90, Review: 5, Unmatched: 5}, v1alpha1.ReasonMatched},
		"too few":          {bus.Matches{Profiles: 10, Matched: 89, Review: 6, Unmatched: 5}, v1alpha1.ReasonMatchLow},
	} {
		s := &scope{conditions: kube.NewConditions(nil, 1, noon), status: &v1alpha1.StripeConnectionStatus{}}
		got := step.OutcomeOf(judgeMatches(s, tc.counts)).Reason
		if condition := s.conditions.Get(v1alpha1.ConditionCustomersMatched); condition != nil {
			got = condition.Reason
		}
		if got != tc.want || s.status.Matches.Review != tc.counts.Review {
			t.Errorf("%s: %s with %+v, want %s", name, got, s.status.Matches, tc.want)
		}
	}
}

func TestJudgeBackfills(t *testing.T) {
	backfill := func(name string, phase v1alpha1.BackfillPhase, age time.Duration, reason string) v1alpha1.Backfill {
		b := v1alpha1.Backfill{Status: v1alpha1.BackfillStatus{Phase: phase}}
		b.Name, b.CreationTimestamp = name, metav1.NewTime(noon.Add(-age))
		b.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionComplete, Reason: reason}}
		return b
	}
	conn := &v1alpha1.StripeConnection{}
	conn.UID = "u"
	own := func(b v1alpha1.Backfill) v1alpha1.Backfill {
		b.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(conn, v1alpha1.GroupVersion.WithKind("StripeConnection"))}
		return b
	}
	catchUp := own(backfill("catch-up", v1alpha1.BackfillRunning, 30*time.Minute, v1alpha1.ReasonInProgress))
	missed := own(backfill("missed", v1alpha1.BackfillFailed, 30*time.Minute, v1alpha1.ReasonFailed))
	running := backfill("running", v1alpha1.BackfillRunning, time.Minute, v1alpha1.ReasonInProgress)
	failed := backfill("failed", v1alpha1.BackfillFailed, time.Hour, v1alpha1.ReasonFailed)
	done := backfill("done", v1alpha1.BackfillSucceeded, 2*time.Hour, v1alpha1.ReasonSucceeded)
	reads := func(window v1alpha1.Window, since time.Duration, b v1alpha1.Backfill) v1alpha1.Backfill {
		if b.Spec.Window = window; since > 0 {
			b.Spec.Since = &metav1.Time{Time: noon.Add(-since)}
		}
		return b
	}
	allTime := reads(v1alpha1.WindowAllTime, 0, own(backfill("initial", v1alpha1.BackfillRunning, 9*day, v1alpha1.ReasonInProgress)))
	lost := reads(v1alpha1.WindowAllTime, 0, own(backfill("initial", v1alpha1.BackfillFailed, 9*day, v1alpha1.ReasonFailed)))
	gap := reads(v1alpha1.Window30d, 2*day, own(backfill("gap", v1alpha1.BackfillSucceeded, day, v1alpha1.ReasonSucceeded)))
	missedGap := reads(v1alpha1.Window30d, 40*day, own(backfill("gap", v1alpha1.BackfillFailed, 2*day, v1alpha1.ReasonFailed)))
	short := reads(v1alpha1.Window30d, 0, backfill("short", v1alpha1.BackfillSucceeded, day, v1alpha1.ReasonSucceeded))
	quarter := reads(v1alpha1.Window90d, 0, backfill("quarter", v1alpha1.BackfillSucceeded, day, v1alpha1.ReasonSucceeded))
	whole := reads(v1alpha1.WindowAllTime, 0, own(backfill("whole", v1alpha1.BackfillSucceeded, day, v1alpha1.ReasonSucceeded)))
	stuck := backfill("stuck", v1alpha1.BackfillRunning, 20*time.Hour, v1alpha1.ReasonStripe429)
	stuck.Status.ThrottledSince = &metav1.Time{Time: noon.Add(-13 * time.Hour)}
	for name, tc := range map[string]struct {
		list []v1alpha1.Backfill
		last string // the reason that was shown before
		want string
		kind step.Kind
	}{
		"not begun":                           {nil, "", v1alpha1.ReasonPending, step.Done},
		"running":                             {[]v1alpha1.Backfill{running}, "", v1alpha1.ReasonInProgress, step.Waiting},
		"failed":                              {[]v1alpha1.Backfill{failed}, "", v1alpha1.ReasonBackfillFailed, step.NeedsAction},
		"failed, then replayed":               {[]v1alpha1.Backfill{failed, running}, "", v1alpha1.ReasonInProgress, step.Waiting},
		"done, then replayed":                 {[]v1alpha1.Backfill{done, running, failed}, "", v1alpha1.ReasonComplete, step.Done},
		"done, then catching up":              {[]v1alpha1.Backfill{done, catchUp}, "", v1alpha1.ReasonInProgress, step.Waiting},
		"a catch-up failed":                   {[]v1alpha1.Backfill{done, missed}, "", v1alpha1.ReasonBackfillFailed, step.NeedsAction},
		"and is replayed":                     {[]v1alpha1.Backfill{done, missed, running}, "", v1alpha1.ReasonInProgress, step.Waiting},
		"and was stood in for":                {[]v1alpha1.Backfill{missed, backfill("later", v1alpha1.BackfillSucceeded, time.Minute, v1alpha1.ReasonSucceeded)}, "", v1alpha1.ReasonComplete, step.Done},
		"a gap is read before the whole":      {[]v1alpha1.Backfill{allTime, gap}, "", v1alpha1.ReasonInProgress, step.Waiting},
		"a gap is read, the whole is lost":    {[]v1alpha1.Backfill{lost, gap}, "", v1alpha1.ReasonBackfillFailed, step.NeedsAction},
		"a short replay is not the whole":     {[]v1alpha1.Backfill{allTime, short}, "", v1alpha1.ReasonInProgress, step.Waiting},
		"the whole was lost, and read again":  {[]v1alpha1.Backfill{lost, gap, whole}, "", v1alpha1.ReasonComplete, step.Done},
		"a replay reaches back into a gap":    {[]v1alpha1.Backfill{missedGap, quarter}, "", v1alpha1.ReasonComplete, step.Done},
		"a replay is too short for a gap":     {[]v1alpha1.Backfill{missedGap, short}, "", v1alpha1.ReasonBackfillFailed, step.NeedsAction},
		"a gap began after one that was read": {[]v1alpha1.Backfill{missedGap, reads(v1alpha1.WindowAllTime, 50*day, gap)}, "", v1alpha1.ReasonComplete, step.Done},
		"failed and removed":                  {nil, v1alpha1.ReasonBackfillFailed, v1alpha1.ReasonBackfillFailed, step.NeedsAction},
		"removed while running":               {nil, v1alpha1.ReasonInProgress, v1alpha1.ReasonBackfillFailed, step.NeedsAction},
		"held back by Stripe":                 {[]v1alpha1.Backfill{backfill("b", v1alpha1.BackfillRunning, 20*time.Hour, v1alpha1.ReasonStripe429)}, "", v1alpha1.ReasonStripe429, step.Waiting},
		"held back for too long":              {[]v1alpha1.Backfill{stuck}, "", v1alpha1.ReasonStripe429, step.NeedsAction},
	} {
		var before []metav1.Condition
		if tc.last != "" {
			before = []metav1.Condition{{Type: v1alpha1.ConditionBackfillComplete, Status: metav1.ConditionFalse, Reason: tc.last}}
		}
		s := &scope{conn: conn, conditions: kube.NewConditions(before, 1, noon), now: noon}
		outcome := step.OutcomeOf(judgeBackfills(s, tc.list))
		got := outcome.Reason
		if outcome.Kind == step.Done {
			got = s.conditions.Get(v1alpha1.ConditionBackfillComplete).Reason
		}
		if got != tc.want || outcome.Kind != tc.kind {
			t.Errorf("%s: %s (kind %d), want %s (kind %d)", name, got, outcome.Kind, tc.want, tc.kind)
		}
	}
}

func TestCodesExplainThemselves(t *testing.T) {
	got := explain("ERR_PLAN_REQUIRED", "Workspace x is on plan Free.")
	if !strings.HasPrefix(got, "Workspace x is on plan Free. ") || !strings.Contains(got, "Pro") {
		t.Errorf("explained as %q", got)
	}
}
