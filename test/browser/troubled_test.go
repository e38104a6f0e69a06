package browser

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

// troubled are connections of a third workspace: one reads its history, a second has lost its grant, a third is kept by
// a tool.
func troubled() []client.Object {
	const when = "2026-03-02T09:20:00Z"
	at, err := time.Parse(time.RFC3339, when)
	if err != nil {
		panic(err)
	}
	connection := func(name string, mode v1alpha1.Mode, conditions ...metav1.Condition) *v1alpha1.StripeConnection {
		conn := &v1alpha1.StripeConnection{
			ObjectMeta: metav1.ObjectMeta{Namespace: "initech", Name: name, UID: types.UID("uid-" + name)},
			Spec: v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "production"}, Mode: mode,
				Backfill: v1alpha1.BackfillPolicy{Window: v1alpha1.Window90d}, DeletionPolicy: v1alpha1.DeletionRetain},
		}
		conn.Status.AccountID, conn.Status.Country, conn.Status.Region = "acct_1"+strings.ReplaceAll(name, "-", ""), "DE", v1alpha1.RegionEU
		conn.Status.LastEventTime = &metav1.Time{Time: at}
		conn.Status.Events = v1alpha1.EventStatus{Accepted: 48213, Rejected: 3}
		conn.Status.Token = v1alpha1.TokenStatus{LastRotation: &metav1.Time{Time: at.Add(-2 * time.Hour)}, Generation: 7}
		conn.Status.Endpoint = v1alpha1.EndpointStatus{SecretGeneration: 2, RetiringUntil: &metav1.Time{Time: at.Add(11 * time.Hour)}}
		conn.Status.Matches = v1alpha1.MatchStatus{Matched: 180, Review: 12, Unmatched: 3, Profiles: 200}
		conn.Status.Conditions = conditions
		return conn
	}
	yes := func(kind, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: "True", Reason: reason}
	}
	no := func(kind, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: "False", Reason: reason, Message: message}
	}
	good := []metav1.Condition{
		yes(v1alpha1.ConditionEntitled, "PlanIncludesStripe"), yes(v1alpha1.ConditionAuthorized, "Granted"), yes(v1alpha1.ConditionRegionPinned, "Pinned"),
		yes(v1alpha1.ConditionAccountActive, "Active"), yes(v1alpha1.ConditionTokenFresh, "Rotated"), yes(v1alpha1.ConditionEndpointRegistered, "Registered"),
		yes(v1alpha1.ConditionEventsVerified, "Verified"), no(v1alpha1.ConditionBackfillComplete, "InProgress", "History is being read: 42 %."),
		no(v1alpha1.ConditionCustomersMatched, "ERR_MATCH_LOW", "Matched 180 of 195 customers (92 %)."), yes(v1alpha1.ConditionReady, "Ready"),
	}
	lost := []metav1.Condition{
		yes(v1alpha1.ConditionEntitled, "PlanIncludesStripe"), yes(v1alpha1.ConditionRegionPinned, "Pinned"),
		no(v1alpha1.ConditionAuthorized, "ERR_ST_401", "Stripe no longer honours the grant of acct_1stripetest. Open the connect URL and authorise the account again."),
		no(v1alpha1.ConditionReady, "ERR_ST_401", "Stripe no longer honours the grant of acct_1stripetest. Open the connect URL and authorise the account again."),
	}
	kept := connection("stripe-us", v1alpha1.ModeLive, good...)
	kept.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "billing:integrations.kustiq.io/StripeConnection:initech/stripe-us"}
	reading := &v1alpha1.Backfill{
		ObjectMeta: metav1.ObjectMeta{Namespace: "initech", Name: "stripe-live-initial", CreationTimestamp: metav1.Time{Time: at}},
		Spec:       v1alpha1.BackfillSpec{ConnectionRef: v1alpha1.LocalRef{Name: "stripe-live"}, Window: v1alpha1.Window90d},
	}
	reading.Status = v1alpha1.BackfillStatus{Phase: v1alpha1.BackfillRunning, Percent: 42, Objects: 61234, Requests: 640, Signals: 9120, Throttled: 2,
		Rate: "180 objects/s", ETA: &metav1.Time{Time: at.Add(25 * time.Minute)}}
	return []client.Object{connection("stripe-live", v1alpha1.ModeLive, good...), connection("stripe-test", v1alpha1.ModeTest, lost...), kept, reading}
}

// review has profiles imported, customers matched to them, and actions in the audit log.
func (s *showcase) review(t testing.TB) {
	g := NewWithT(t)
	page, err := s.store.AtRisk(t.Context(), showcaseWorkspace, store.AtRiskQuery{Limit: 8})
	g.Expect(err).NotTo(HaveOccurred())
	file := "profile_id,email,domain\n"
	for i, row := range page.Rows {
		address := row.Email
		if i%2 == 1 { // of the same domain only
			_, domain, _ := strings.Cut(row.Email, "@")
			address = "accounts@" + domain
		}
		file += "crm-" + row.Customer + "," + address + ",\n"
	}
	reader, err := matching.NewReader(strings.NewReader(file), matching.CSV)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = s.store.StageProfiles(t.Context(), showcaseWorkspace, reader)
	g.Expect(err).NotTo(HaveOccurred())
	for more := true; more; {
		more, err = s.store.ApplyImports(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
	}
	var keys []store.CustomerKey
	for _, row := range page.Rows {
		keys = append(keys, store.CustomerKey{Scope: showcaseScope, Customer: row.Customer})
	}
	g.Expect(s.store.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Workspaces(t.Context(), []store.Scope{showcaseScope}); err != nil {
			return err
		}
		records, err := tx.Customers(t.Context(), keys)
		if err != nil {
			return err
		}
		var all []*store.CustomerRecord
		for _, row := range page.Rows {
			r := records[store.CustomerKey{Scope: showcaseScope, Customer: row.Customer}]
			r.Observe(signal.Signal{ID: "evt_" + row.Customer, Kind: signal.CustomerUpdated, Created: s.clock.Now().Unix(), Customer: row.Customer,
				Person: &signal.Person{Name: row.Name, Email: row.Email}})
			state := new(scoring.State)
			if err := json.Unmarshal(r.State, state); err != nil {
				return err
			}
			score(r, state, s.clock.Now())
			all = append(all, r)
		}
		if err := tx.SaveCustomers(t.Context(), all); err != nil {
			return err
		}
		_, err = tx.MatchCustomers(t.Context(), all, func(store.AccountRef) int { return 90 })
		return err
	})).To(Succeed())
	for _, verb := range []string{"rotate-secret", "replay", "match.approve"} {
		id, err := s.store.BeginAudit(t.Context(), store.AuditEntry{Workspace: showcaseWorkspace, Actor: "kim@acme.example", Action: verb,
			Object: "stripeconnection/stripe-live", Detail: "90d"})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(s.store.EndAudit(t.Context(), id, store.AuditDone)).To(Succeed())
	}
}
