//go:build !image

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/stripesim"
)

const (
	demoAccount = "acct_1KustiqDemo0000"
	demoYears   = 2
	// demoWorkspace is the one of config/samples.
	demoWorkspace = "kustiq-demo/acme"
	// demoPoll is how often the demo looks whether a step has happened.
	demoPoll = 200 * time.Millisecond
	// demoPatience is how long the demo waits for one step; the slowest, the backfill, takes a few seconds.
	demoPatience = 3 * time.Minute
)

func (s *devStack) addDemoAccount() {
	for _, livemode := range []bool{true, false} {
		customers := s.opts.customers
		if !livemode {
			customers = min(customers, 10)
		}
		s.stripe.AddAccount(stripesim.Generate(stripesim.GenerateOptions{
			AccountID: demoAccount, Name: "Acme Cloud GmbH", Country: "DE", Currency: "eur",
			Customers: customers, Years: demoYears, Seed: s.opts.seed, End: s.clock.Now(), Livemode: livemode,
		}))
	}
	s.account = demoAccount
}

// play runs the scenario and then waits for Ctrl-C, unless one round was asked for.
func (s *devStack) play(ctx context.Context) error {
	if s.opts.scenario == scenarioDemo {
		if err := s.playDemo(ctx); err != nil {
			return err
		}
	}
	if s.opts.once {
		return nil
	}
	s.printURLs()
	<-s.ctx.Done() // Ctrl-C, or a role that failed, which stop reports
	return ctx.Err()
}

func (s *devStack) printURLs() {
	fmt.Fprintf(s.opts.out, `
  dashboard         %s/dashboard/churn
  simulated Stripe  %s/   (lets things happen to customers)
  receiver          %s/webhooks/stripe
  metrics           %s/metrics
  variables         set -a; . %s; set +a   (then: kubectl get strc,bf,ws -A)
  logs              %s/logs

Ctrl-C stops everything.
`, baseURL(s.listeners.dashboard), baseURL(s.listeners.stripe), baseURL(s.listeners.receiver), baseURL(s.listeners.dashboard), s.envPath(), s.opts.dataDir)
}

// playDemo connects the account, lets one customer's payment fail twice and shows the at-risk table.
func (s *devStack) playDemo(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)() // a role that failed ends the demo too
	applied, err := applySamples(ctx, s.kube)
	if err != nil {
		return err
	}
	s.say("applied config/samples: %d objects", len(applied))
	var live *v1alpha1.StripeConnection
	for _, object := range applied {
		if object.GetKind() != "StripeConnection" {
			continue
		}
		conn := &v1alpha1.StripeConnection{}
		conn.Namespace, conn.Name = object.GetNamespace(), object.GetName()
		if err := s.connectDemo(ctx, conn); err != nil {
			return fmt.Errorf("connect %s: %w", conn.Name, err)
		}
		if conn.Spec.Mode == v1alpha1.ModeLive {
			live = conn
		}
	}
	if live == nil {
		return errors.New("config/samples has no StripeConnection in live mode")
	}
	if err := s.writeEnv(); err != nil {
		return err
	}
	if err := s.tellStory(ctx, live.Namespace+"/"+live.Spec.WorkspaceRef.Name); err != nil {
		return err
	}
	s.stripe.StartStream(s.account, s.opts.streamPerMinute)
	return nil
}

// until polls for a condition; what names it for the error.
func until(ctx context.Context, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoPatience, fmt.Errorf("%s did not happen within %s: see the logs folder", what, demoPatience))
	defer cancel()
	ticker := time.NewTicker(demoPoll)
	defer ticker.Stop()
	for {
		ok, err := done()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// connectDemo brings one connection from awaiting consent to a complete history.
func (s *devStack) connectDemo(ctx context.Context, conn *v1alpha1.StripeConnection) error {
	for _, step := range []func(context.Context, *v1alpha1.StripeConnection) error{s.consentTo, s.becomeReady, s.readHistory} {
		if err := step(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

func (s *devStack) consentTo(ctx context.Context, conn *v1alpha1.StripeConnection) error {
	err := until(ctx, "the connect URL", func() (bool, error) {
		err := s.kube.Get(ctx, client.ObjectKeyFromObject(conn), conn)
		c := meta.FindStatusCondition(conn.Status.Conditions, v1alpha1.ConditionAuthorized)
		return err == nil && conn.Status.ConnectURL != "" && c != nil && c.Reason == v1alpha1.ReasonAwaitingConsent, err
	})
	if err != nil {
		return err
	}
	s.say("%s awaits consent at %s", conn.Name, conn.Status.ConnectURL)
	if err := clickThroughConsent(ctx, conn.Status.ConnectURL); err != nil {
		return err
	}
	s.say("consented on Stripe's page, as its account's owner")
	return nil
}

// becomeReady waits until events are accepted.
func (s *devStack) becomeReady(ctx context.Context, conn *v1alpha1.StripeConnection) error {
	key := client.ObjectKeyFromObject(conn)
	err := until(ctx, "Ready=True", func() (bool, error) {
		return meta.IsStatusConditionTrue(conn.Status.Conditions, v1alpha1.ConditionReady), s.kube.Get(ctx, key, conn)
	})
	if err != nil {
		return err
	}
	s.say("%s is Ready: account %s, endpoint %s", conn.Name, conn.Status.AccountID, conn.Status.Endpoint.ID)
	return nil
}

// readHistory follows the first backfill to its end.
func (s *devStack) readHistory(ctx context.Context, conn *v1alpha1.StripeConnection) error {
	key := client.ObjectKeyFromObject(conn)
	said := int32(-1)
	err := until(ctx, "the backfill", func() (bool, error) {
		var list v1alpha1.BackfillList
		if err := s.kube.List(ctx, &list, client.InNamespace(conn.Namespace)); err != nil {
			return false, err
		}
		for _, b := range list.Items {
			if b.Spec.ConnectionRef.Name != conn.Name {
				continue
			}
			if b.Status.Percent/25 != said/25 || said < 0 {
				said = b.Status.Percent
				s.say("backfill of %s: %d %%, %d objects, %d signals", b.Spec.Window, b.Status.Percent, b.Status.Objects, b.Status.Signals)
			}
			if b.Status.Phase == v1alpha1.BackfillFailed {
				return false, errors.New("it failed: kubectl get bf -A -o yaml says why")
			}
		}
		return meta.IsStatusConditionTrue(conn.Status.Conditions, v1alpha1.ConditionBackfillComplete), s.kube.Get(ctx, key, conn)
	})
	if err != nil {
		return err
	}
	s.say("history is read")
	return nil
}

// tellStory lets the payment of one customer fail twice and waits until that customer heads the table.
func (s *devStack) tellStory(ctx context.Context, workspace string) error {
	api, err := report.NewClient(baseURL(s.listeners.dashboard), http.DefaultClient)
	if err != nil {
		return err
	}
	victim, err := s.chooseCustomer()
	if err != nil {
		return err
	}
	if err := s.countScored(ctx, api, workspace, victim.ID); err != nil {
		return err
	}
	s.say("the payment of %s (%s) fails twice", victim.Name, victim.ID)
	began := time.Now()
	for range 2 {
		if _, err := s.stripe.Act(s.account, victim.ID, stripesim.FailPayment); err != nil {
			return err
		}
	}
	var page report.AtRisk
	err = until(ctx, victim.ID+" at the top of the at-risk table", func() (bool, error) {
		var err error
		page, err = api.AtRisk(ctx, workspace, report.AtRiskQuery{Limit: 10})
		return err == nil && len(page.Rows) > 0 && page.Rows[0].Customer == victim.ID && page.Rows[0].Tier == "Critical", err
	})
	if err != nil {
		return err
	}
	s.say("at the top of the at-risk table after %s (looked every %s)", time.Since(began).Round(time.Millisecond), demoPoll)
	detail, err := api.Customer(ctx, workspace, victim.ID)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.opts.out)
	if err := report.AtRiskTable(s.opts.out, page); err != nil {
		return err
	}
	fmt.Fprintln(s.opts.out)
	return report.Explain(s.opts.out, detail, false)
}

// chooseCustomer takes the live customer with the highest MRR whose payments are in order.
func (s *devStack) chooseCustomer() (chosen stripesim.CustomerSummary, err error) {
	for _, c := range s.stripe.Customers(s.account) {
		if c.Status == "active" && c.MRR > chosen.MRR {
			chosen = c
		}
	}
	if chosen.ID == "" {
		return chosen, errors.New("the demo account has no active customer: choose another --seed or more --customers")
	}
	return chosen, nil
}

// countScored waits until the backfill's signals have become scores.
func (s *devStack) countScored(ctx context.Context, api *report.Client, workspace, customer string) error {
	var counts report.Counts
	err := until(ctx, "the first scores", func() (bool, error) {
		if _, err := api.Customer(ctx, workspace, customer); err != nil {
			var refused *report.APIError
			if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
				return false, nil
			}
			return false, err
		}
		var err error
		counts, err = api.Counts(ctx, workspace)
		return err == nil, err
	})
	if err == nil {
		s.say("%d customers are scored, %d of them at risk", counts.Customers, counts.AtRisk)
	}
	return err
}
