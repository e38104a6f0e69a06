package lifecycle_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/internal/stripesim"
)

// failure is one row of the product's table of errors.
type failure struct {
	code      errcode.Code
	condition string
	// within is how soon it must be seen, and seen to be gone.
	within time.Duration
	// fresh rows begin before consent; all others with a connection that is ready.
	fresh bool
	mode  v1alpha1.Mode
	// tick is how far the clock moves at each look, where it is not the usual.
	tick time.Duration
	// country of the account; DE where it does not matter.
	country string
	// harmless failures leave the connection ready.
	harmless bool
	// message is what the condition must say beside the remedy.
	message     string
	cause, cure func(ctx context.Context, t *tenant)
}

var failures = []failure{
	{
		code: errcode.ST401, condition: v1alpha1.ConditionAuthorized, within: 5 * time.Minute,
		cause: func(_ context.Context, t *tenant) {
			// Even the word of it is lost: the probe must find out.
			sim.HinderDeliveries(t.account.ID, stripesim.DeliveryFault{Drop: true})
			sim.Revoke(t.account.ID, true)
		},
		cure: func(ctx context.Context, t *tenant) { t.consent(ctx) },
	},
	{
		code: errcode.ST403, condition: v1alpha1.ConditionAuthorized, within: 5 * time.Minute,
		cause: func(context.Context, *tenant) {
			sim.SetFault(stripesim.Fault{Match: "GET /v1/account", Status: 403, Type: "invalid_request_error", Code: "more_permissions_required_for_application"})
		},
		cure: func(context.Context, *tenant) { sim.ClearFaults() },
	},
	{
		code: errcode.ModeMismatch, condition: v1alpha1.ConditionAuthorized, within: 5 * time.Minute, fresh: true, mode: v1alpha1.ModeTest,
		cause: func(ctx context.Context, t *tenant) {
			// The mistake is the operator's: live keys under the names of test mode.
			sim.AddAccount(stripesim.Generate(stripesim.GenerateOptions{
				AccountID: t.account.ID, Name: "live", Country: "DE", Currency: "eur", Customers: 1, Years: 0.1, Seed: 1, End: clk.Now(), Livemode: true,
			}))
			mistaken := t.r.credentials().StringData
			mistaken["client-id-test"], mistaken["secret-key-test"] = mistaken["client-id-live"], mistaken["secret-key-live"]
			writeCredentials(ctx, t.r, mistaken)
			Eventually(func() (string, error) {
				offer, _, err := t.r.bus.Offers().Get(ctx, string(t.c.UID))
				t.nudge(ctx)
				return offer.AuthorizeURL, err
			}).Should(ContainSubstring(mistaken["client-id-live"]))
			t.consent(ctx)
		},
		cure: func(ctx context.Context, t *tenant) {
			writeCredentials(ctx, t.r, t.r.credentials().StringData)
			Eventually(func() (string, error) {
				offer, _, err := t.r.bus.Offers().Get(ctx, string(t.c.UID))
				t.nudge(ctx)
				return offer.AuthorizeURL, err
			}).Should(ContainSubstring(t.r.platform.ClientIDTest))
			t.consent(ctx)
		},
	},
	{
		code: errcode.ST429, condition: v1alpha1.ConditionBackfillComplete, within: 5 * time.Minute, fresh: true, mode: v1alpha1.ModeLive, harmless: true,
		tick: poll, // the bus hands a postponed backfill out again by its server's clock, which is the real one
		cause: func(ctx context.Context, t *tenant) {
			sim.SetFault(stripesim.Fault{Match: "GET /v1/subscriptions", Status: 429, Code: "rate_limit", RetryAfter: 30 * time.Second, Reason: "global-rate"})
			t.consent(ctx)
		},
		cure: func(context.Context, *tenant) { sim.ClearFaults() },
	},
	{
		code: errcode.MatchLow, condition: v1alpha1.ConditionCustomersMatched, within: 5 * time.Minute, harmless: true,
		cause: func(ctx context.Context, t *tenant) { t.imports(ctx, "nobody@elsewhere.example") },
		cure:  func(ctx context.Context, t *tenant) { t.imports(ctx, t.emails(ctx)...) },
	},
	{
		code: errcode.WebhookSig, condition: v1alpha1.ConditionEventsVerified, within: 5 * time.Minute,
		cause: func(_ context.Context, t *tenant) {
			sim.HinderDeliveries(t.account.ID, stripesim.DeliveryFault{Secret: "whsec_ofSomebodyElse"})
			t.act(0, stripesim.FailPayment)
		},
		cure: func(_ context.Context, t *tenant) {
			sim.HinderDeliveries(t.account.ID, stripesim.DeliveryFault{})
			t.act(1, stripesim.FailPayment)
		},
	},
	{
		code: errcode.WebhookStale, condition: v1alpha1.ConditionEventsVerified, within: 5 * time.Minute, message: "600 s behind",
		cause: func(_ context.Context, t *tenant) {
			sim.HinderDeliveries(t.account.ID, stripesim.DeliveryFault{Skew: -10 * time.Minute})
			t.act(0, stripesim.FailPayment)
		},
		cure: func(_ context.Context, t *tenant) {
			sim.HinderDeliveries(t.account.ID, stripesim.DeliveryFault{})
			t.act(1, stripesim.FailPayment)
		},
	},
	{
		code: errcode.RegionMismatch, condition: v1alpha1.ConditionRegionPinned, within: 5 * time.Minute, country: "US",
		cause: func(ctx context.Context, t *tenant) { t.crossRegion(ctx, v1alpha1.CrossRegionDeny) },
		cure:  func(ctx context.Context, t *tenant) { t.crossRegion(ctx, v1alpha1.CrossRegionAllow) },
	},
	{
		code: errcode.PlanRequired, condition: v1alpha1.ConditionEntitled, within: 5 * time.Minute,
		cause: func(ctx context.Context, t *tenant) { t.plan(ctx, v1alpha1.PlanInsight) },
		cure:  func(ctx context.Context, t *tenant) { t.plan(ctx, v1alpha1.PlanPro) },
	},
	{
		code: errcode.AcctRestricted, condition: v1alpha1.ConditionAccountActive, within: 10 * time.Minute,
		cause: func(_ context.Context, t *tenant) { Expect(sim.SetRestricted(t.account.ID, true, true)).To(Succeed()) },
		cure:  func(_ context.Context, t *tenant) { Expect(sim.SetRestricted(t.account.ID, true, false)).To(Succeed()) },
	},
}

func writeCredentials(ctx context.Context, r *region, values map[string]string) {
	secret := r.credentials()
	change(ctx, secret, func(s *corev1.Secret) { s.StringData = values })
}

// imports gives the workspace a profile for each e-mail.
func (t *tenant) imports(ctx context.Context, emails ...string) {
	GinkgoHelper()
	file := "profile_id,email\n"
	for n, email := range emails {
		file += fmt.Sprintf("p%d,%s\n", n, email)
	}
	_, err := t.r.engine.Import(ctx, t.workspace.Namespace+"/"+t.workspace.Name, strings.NewReader(file), matching.CSV)
	Expect(err).NotTo(HaveOccurred())
}

// emails are those of the account's customers.
func (t *tenant) emails(ctx context.Context) (emails []string) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, stripeURL+"/v1/customers?limit=100", nil)
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+t.r.platform.SecretKeyLive)
	request.Header.Set("Stripe-Account", t.account.ID)
	answer, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = answer.Body.Close() }()
	var list struct {
		Data []struct{ Email string }
	}
	Expect(json.NewDecoder(answer.Body).Decode(&list)).To(Succeed())
	for _, customer := range list.Data {
		emails = append(emails, customer.Email)
	}
	return emails
}

func (t *tenant) crossRegion(ctx context.Context, to v1alpha1.CrossRegion) {
	change(ctx, t.workspace, func(w *v1alpha1.Workspace) { w.Spec.CrossRegion = to })
}

func (t *tenant) plan(ctx context.Context, to v1alpha1.Plan) {
	change(ctx, t.workspace, func(w *v1alpha1.Workspace) { w.Spec.Plan = to })
}

// measured keeps a line for each row, to be printed at the end.
var measured struct {
	sync.Mutex
	lines []string
}

var _ = Describe("An error", func() {
	entries := []any{func(ctx context.Context, f failure) {
		country := "DE"
		if f.country != "" {
			country = f.country
		}
		var t *tenant
		if f.fresh {
			t = newTenant(ctx, eu, country, f.mode)
		} else {
			t = connected(ctx, eu, country)
		}
		if f.tick > 0 {
			t.tick = f.tick
		}
		code := string(f.code)
		Expect(t.metered(code)).To(BeFalse())

		By("showing in the condition, in Ready, to generic tools, as an Event and in the metric")
		f.cause(ctx, t)
		seen := t.wait(ctx, f.condition, metav1.ConditionFalse, code)
		Expect(seen).To(BeNumerically("<=", f.within))
		said := t.condition(ctx, Default, f.condition)
		Expect(said.Message).To(ContainSubstring(f.message))
		if f.harmless {
			Expect(t.kstatus()).NotTo(Equal(status.FailedStatus))
		} else {
			t.wait(ctx, v1alpha1.ConditionReady, metav1.ConditionFalse, code)
			Expect(t.kstatus()).To(Equal(status.FailedStatus))
		}
		Eventually(func() bool { return t.told(ctx, code) }).Should(BeTrue(), "no Event says %s", code)
		Eventually(func() bool { return t.metered(code) }).Should(BeTrue(), "no series has %s", code)

		By("going when its cause goes")
		f.cure(ctx, t)
		gone := t.wait(ctx, f.condition, metav1.ConditionTrue, "")
		Expect(gone).To(BeNumerically("<=", f.within))
		t.wait(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(t.kstatus()).To(Equal(status.CurrentStatus))
		Eventually(func() bool { return t.metered(code) }).Should(BeFalse(), "a series still has %s", code)
		measured.Lock()
		defer measured.Unlock()
		measured.lines = append(measured.lines, fmt.Sprintf("%-20s %-18s seen after %6s, gone after %6s", code, f.condition, seen.Round(time.Second), gone.Round(time.Second)))
	}}
	for _, f := range failures {
		entries = append(entries, Entry(string(f.code), f))
	}
	DescribeTable("is seen and goes:", entries...)

	It("has a row for each code", func() {
		rows := map[errcode.Code]bool{}
		for _, f := range failures {
			rows[f.code] = true
		}
		Expect(rows).To(HaveLen(len(errcode.All())))
	})
})

var _ = ReportAfterSuite("measured times", func(Report) {
	if len(measured.lines) > 0 {
		fmt.Printf("\nTimes on Kustiq's clock, which moved in steps of %s:\n%s\n", tick, strings.Join(measured.lines, "\n"))
	}
})
