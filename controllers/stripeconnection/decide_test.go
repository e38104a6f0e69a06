package stripeconnection

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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

func TestPlatformFrom(t *testing.T) {
	secret := &corev1.Secret{Data: map[string][]byte{
		"client-id-live": []byte("ca_live\n"), "secret-key-live": []byte(" sk_live "), "client-id-test": []byte("ca_test"), "secret-key-test": []byte("  "), "flavor": []byte("app\n"),
	}}
	got, missing := platformFrom(secret, live)
	if want := (stripeapi.Platform{ClientID: "ca_live", SecretKey: "sk_live", Flavor: stripeapi.FlavorApp}); got != want || len(missing) > 0 {
		t.Errorf("live: %v, missing %v", got, missing)
	}
	if _, missing = platformFrom(secret, test); !slices.Equal(missing, []string{"secret-key-test"}) {
		t.Errorf("test: missing %v", missing)
	}
	if _, missing = platformFrom(&corev1.Secret{}, test); len(missing) != 2 {
		t.Errorf("no Secret: missing %v", missing)
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
	others := func(n int) []stripeapi.Endpoint {
		return slices.Repeat([]stripeapi.Endpoint{endpoint("we_other", meta(metaInstallation, "another"))}, n)
	}
	for name, tc := range map[string]struct {
		listed []stripeapi.Endpoint
		held   string
		want   endpointPlan
	}{
		"none":                        {nil, "", endpointPlan{}},
		"as declared":                 {[]stripeapi.Endpoint{endpoint("we_1")}, "we_1", endpointPlan{keep: "we_1"}},
		"ours, secret unknown":        {[]stripeapi.Endpoint{endpoint("we_1")}, "", endpointPlan{remove: []string{"we_1"}}},
		"held one gone":               {nil, "we_1", endpointPlan{}},
		"left over beside it":         {[]stripeapi.Endpoint{endpoint("we_0"), endpoint("we_1")}, "we_1", endpointPlan{keep: "we_1", remove: []string{"we_0"}}},
		"another installation's":      {[]stripeapi.Endpoint{endpoint("we_1", meta(metaInstallation, "x"))}, "we_1", endpointPlan{}},
		"another region's":            {[]stripeapi.Endpoint{endpoint("we_1", meta(metaRegion, "us"))}, "we_1", endpointPlan{}},
		"another mode's":              {[]stripeapi.Endpoint{endpoint("we_1", meta(metaMode, "test"))}, "we_1", endpointPlan{}},
		"disabled":                    {[]stripeapi.Endpoint{endpoint("we_1", func(e *stripeapi.Endpoint) { e.Status = "disabled" })}, "we_1", endpointPlan{keep: "we_1", repair: "EndpointDisabled"}},
		"elsewhere":                   {[]stripeapi.Endpoint{endpoint("we_1", func(e *stripeapi.Endpoint) { e.URL = "https://old.example" })}, "we_1", endpointPlan{keep: "we_1", repair: "EndpointDrift"}},
		"an event missing":            {[]stripeapi.Endpoint{endpoint("we_1", func(e *stripeapi.Endpoint) { e.Events = e.Events[1:] })}, "we_1", endpointPlan{keep: "we_1", repair: "EndpointDrift"}},
		"events in another order":     {[]stripeapi.Endpoint{endpoint("we_1", func(e *stripeapi.Endpoint) { e.Events = slices.Sorted(slices.Values(e.Events)) })}, "we_1", endpointPlan{keep: "we_1"}},
		"of another API version":      {[]stripeapi.Endpoint{endpoint("we_1", func(e *stripeapi.Endpoint) { e.APIVersion = "2020-08-27" })}, "we_1", endpointPlan{remove: []string{"we_1"}}},
		"no room":                     {others(16), "", endpointPlan{full: true}},
		"no room, but a left-over":    {append(others(15), endpoint("we_0")), "", endpointPlan{full: true, remove: []string{"we_0"}}},
		"no room, and none is needed": {append(others(15), endpoint("we_1")), "we_1", endpointPlan{keep: "we_1"}},
	} {
		got := planEndpoint(tc.listed, tc.held, spec)
		if got.keep != tc.want.keep || got.repair != tc.want.repair || got.full != tc.want.full || !slices.Equal(got.remove, tc.want.remove) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestJudgeEvents(t *testing.T) {
	for name, tc := range map[string]struct {
		health bus.Health
		reason string // of the stop; "" when the condition is True
		shown  string
	}{
		"nothing yet":             {bus.Health{}, "", v1alpha1.ReasonAwaitingFirstEvent},
		"a good one":              {bus.Health{LastVerifiedAt: 10}, "", v1alpha1.ReasonVerified},
		"a bad one":               {bus.Health{LastRejectedAt: 10, LastRejectedCode: "ERR_WEBHOOK_SIG"}, v1alpha1.ReasonWebhookSig, ""},
		"bad since":               {bus.Health{LastVerifiedAt: 9, LastRejectedAt: 10, LastRejectedCode: "ERR_WEBHOOK_STALE"}, v1alpha1.ReasonWebhookStale, ""},
		"forged after a good one": {bus.Health{LastVerifiedAt: 9, LastRejectedAt: 9 + 3600, LastRejectedCode: "ERR_WEBHOOK_SIG"}, "", v1alpha1.ReasonVerified},
		"only bad for an hour":    {bus.Health{LastVerifiedAt: 9, LastRejectedAt: 10 + 3600, LastRejectedCode: "ERR_WEBHOOK_SIG"}, v1alpha1.ReasonWebhookSig, ""},
		"good again":              {bus.Health{LastVerifiedAt: 11, LastRejectedAt: 10, LastRejectedCode: "ERR_WEBHOOK_SIG"}, "", v1alpha1.ReasonVerified},
		"the other mode":          {bus.Health{LastRejectedAt: 10, LastRejectedCode: "ERR_MODE_MISMATCH"}, v1alpha1.ReasonModeMismatch, ""},
		"a code nobody knows yet": {bus.Health{LastRejectedAt: 10}, v1alpha1.ReasonWebhookSig, ""},
	} {
		s := &scope{conditions: kube.NewConditions(nil, 1, noon)}
		err := judgeEvents(s, tc.health)
		if got := step.OutcomeOf(err).Reason; got != tc.reason {
			t.Errorf("%s: stopped by %q, want %q", name, got, tc.reason)
		}
		if tc.reason == "" && s.conditions.Get(v1alpha1.ConditionEventsVerified).Reason != tc.shown {
			t.Errorf("%s: %+v", name, s.conditions.Get(v1alpha1.ConditionEventsVerified))
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
	running := backfill("running", v1alpha1.BackfillRunning, time.Minute, v1alpha1.ReasonInProgress)
	failed := backfill("failed", v1alpha1.BackfillFailed, time.Hour, v1alpha1.ReasonFailed)
	done := backfill("done", v1alpha1.BackfillSucceeded, 2*time.Hour, v1alpha1.ReasonSucceeded)
	for name, tc := range map[string]struct {
		list []v1alpha1.Backfill
		last string // the reason that was shown before
		want string
		kind step.Kind
	}{
		"not begun":              {nil, "", v1alpha1.ReasonPending, step.Done},
		"running":                {[]v1alpha1.Backfill{running}, "", v1alpha1.ReasonInProgress, step.Waiting},
		"failed":                 {[]v1alpha1.Backfill{failed}, "", v1alpha1.ReasonBackfillFailed, step.NeedsAction},
		"failed, then replayed":  {[]v1alpha1.Backfill{failed, running}, "", v1alpha1.ReasonInProgress, step.Waiting},
		"done, then replayed":    {[]v1alpha1.Backfill{done, running, failed}, "", v1alpha1.ReasonComplete, step.Done},
		"failed and removed":     {nil, v1alpha1.ReasonBackfillFailed, v1alpha1.ReasonBackfillFailed, step.NeedsAction},
		"removed while running":  {nil, v1alpha1.ReasonInProgress, v1alpha1.ReasonBackfillFailed, step.NeedsAction},
		"held back by Stripe":    {[]v1alpha1.Backfill{backfill("b", v1alpha1.BackfillRunning, time.Hour, v1alpha1.ReasonStripe429)}, "", v1alpha1.ReasonStripe429, step.Waiting},
		"held back for too long": {[]v1alpha1.Backfill{backfill("b", v1alpha1.BackfillRunning, 13*time.Hour, v1alpha1.ReasonStripe429)}, "", v1alpha1.ReasonStripe429, step.NeedsAction},
	} {
		var before []metav1.Condition
		if tc.last != "" {
			before = []metav1.Condition{{Type: v1alpha1.ConditionBackfillComplete, Status: metav1.ConditionFalse, Reason: tc.last}}
		}
		s := &scope{conditions: kube.NewConditions(before, 1, noon), now: noon}
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
