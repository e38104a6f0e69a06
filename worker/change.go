package worker

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

const (
	// changesAtOnce is how many renewals are compared in memory at a time, about 25 MB. A larger account is gone through
	// several times, each time for other subscriptions.
	changesAtOnce = 100_000
	// publishAtOnce is how many concluded signals are published together.
	publishAtOnce = 500
)

// compares says whether prices are compared at all: events of the last 30 days tell each change themselves.
func (r *run) compares() bool {
	return slices.ContainsFunc(r.sections, func(s section) bool { return s.name == "invoices" })
}

// changeTold marks that an event tells a change of price, so that nothing is concluded about that moment.
func changeTold(signals []signal.Signal) *signal.Renewal {
	for _, s := range signals {
		if s.Kind == signal.SubscriptionUpgraded || s.Kind == signal.SubscriptionDowngraded {
			return &signal.Renewal{Subscription: s.Subscription.ID, Customer: s.Customer, At: s.Created}
		}
	}
	return nil
}

// conclude compares each subscription's renewals in turn, which needs all lists to be complete, and publishes the up- and
// downgrades that they show.
func (r *run) conclude(ctx context.Context) error {
	for _, l := range r.lists {
		p := l.section.params
		if err := prove(l.slices.stored(), p.CreatedGTE, p.CreatedLTE); err != nil {
			return &unworkable{fmt.Errorf("%s: %w", l.section.name, err)}
		}
	}
	c := changes{run: r, found: map[signal.Kind]bus.Provenances{}}
	if r.compares() {
		total := 0
		if err := r.w.bus.Renewals(ctx, r.task.UID, func(page []signal.Renewal) { total += len(page) }); err != nil {
			return err
		}
		passes := uint32(total/changesAtOnce + 1)
		for pass := range passes {
			if err := c.pass(ctx, pass, passes); err != nil {
				return err
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inferred, r.lost = c.found, c.losses()
	return nil
}

// changes is what the comparison has found.
type changes struct {
	*run
	found map[signal.Kind]bus.Provenances
	// untold counts neighbours that could not be compared.
	untold int64
	// since holds the subscriptions whose price has changed since the reading's end; nil until that is asked.
	since map[string]bool
}

// pass compares the subscriptions of one pass out of several.
func (c *changes) pass(ctx context.Context, pass, passes uint32) error {
	of := map[string][]signal.Renewal{}
	err := c.w.bus.Renewals(ctx, c.task.UID, func(page []signal.Renewal) {
		for _, one := range page {
			hash := fnv.New32a()
			_, _ = hash.Write([]byte(one.Subscription))
			if hash.Sum32()%passes == pass {
				of[one.Subscription] = append(of[one.Subscription], one)
			}
		}
	})
	if err != nil {
		return err
	}
	var found []signal.Signal
	for sub, renewals := range of {
		told, latest := c.compare(renewals)
		found = append(found, told...)
		if latest == nil {
			continue
		}
		// The price was read after the reading's end: an event that comes live may tell the same change.
		if err := c.changedSince(ctx); err != nil {
			return err
		}
		if !c.since[sub] {
			found = append(found, *latest)
		}
	}
	for some := range slices.Chunk(found, publishAtOnce) {
		messages := make([]bus.Message, len(some))
		for i, s := range some {
			messages[i] = bus.Message{
				Workspace: c.task.Workspace, Connection: c.task.Connection, Account: c.task.Account, Livemode: c.task.Livemode,
				ReceivedAtMs: c.w.clock.Now().UnixMilli(), Signals: []signal.Signal{s},
			}
		}
		if err := c.w.bus.PublishBackfill(ctx, messages); err != nil {
			return fmt.Errorf("publish price changes: %w", err)
		}
	}
	count(c.found, found)
	c.w.metrics.count(found)
	return nil
}

// compare goes through one subscription's renewals. Those up to the end of what is read from objects are compared with
// each other, and the last of them with the subscription as it is, unless an event has told a change since: that is latest.
func (c *changes) compare(renewals []signal.Renewal) (found []signal.Signal, latest *signal.Signal) {
	slices.SortFunc(renewals, func(a, b signal.Renewal) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Invoice, b.Invoice))
	})
	window := c.objects()
	var before *signal.Renewal
	for i := range renewals {
		one := &renewals[i]
		if before != nil && one.Invoice != "" && one.Invoice == before.Invoice {
			continue // the page came twice
		}
		if before != nil {
			s, changed, comparable := one.ChangeSince(*before)
			if one.Invoice == "" {
				s.Created = min(s.Created, window.Until)
			}
			switch {
			case !comparable && one.Invoice != "":
				c.untold++
			case !changed || s.Created < window.From || s.Created > window.Until:
			case one.Invoice == "":
				latest = &s
			default:
				found = append(found, s)
			}
		}
		if one.Invoice == "" || one.At > window.Until {
			break
		}
		before = one
	}
	return found, latest
}

// changedSince reads, once, of which subscriptions the price has changed since the reading's end, in the second of which
// the list of events may have been read too early.
func (c *changes) changedSince(ctx context.Context) error {
	if c.since != nil {
		return nil
	}
	since := map[string]bool{}
	params := stripeapi.ListParams{Types: []string{signal.EventSubscriptionUpdated}, CreatedGTE: c.task.Until}
	for more := true; more; {
		var page stripeapi.Page
		err := c.ask(ctx, "events", func(client *stripeapi.AccountClient) (err error) {
			page, err = client.List(ctx, "events", params)
			return err
		})
		if err != nil {
			return err
		}
		for _, raw := range page.Items {
			m, shown, err := c.message(section{name: "events"}, raw)
			if err == nil && shown.Renewal != nil && len(m.Signals) > 0 {
				since[shown.Renewal.Subscription] = true
			}
		}
		more, params.StartingAfter = page.HasMore, page.LastID
	}
	c.since = since
	return nil
}

// objects is the window of what is read from objects.
func (r *run) objects() signal.ObjectOptions {
	for _, s := range r.sections {
		if s.name == "invoices" {
			return s.happened
		}
	}
	return signal.ObjectOptions{}
}

// losses are what could not be found. mu is held.
func (c *changes) losses() []bus.Loss {
	if !c.compares() {
		return nil
	}
	attempts := int64(0)
	for _, l := range c.lists {
		attempts += l.attempts
	}
	lost := []bus.Loss{
		{Kind: signal.PaymentFailed, Count: max(0, attempts-c.charged()), Reason: "Attempts that an invoice counts and no charge shows."},
		{Kind: signal.SubscriptionUpgraded, Count: c.untold, Reason: "Renewals, upgraded or downgraded, whose prices cannot be compared: tiered, or more than ten lines."},
		{Kind: signal.SubscriptionPaused, Reason: "Stripe keeps no pause that is over, nor when one began."},
		{Kind: signal.SubscriptionResumed, Reason: "Stripe keeps no pause that is over."},
		{Kind: signal.CancelScheduled, Reason: "Stripe keeps no cancellation that was withdrawn, nor when one was scheduled."},
		{Kind: signal.CancelWithdrawn, Reason: "Stripe keeps no cancellation that was withdrawn."},
		{Kind: signal.CustomerUpdated, Reason: "Stripe keeps customers as they are now."},
	}
	return slices.DeleteFunc(lost, func(l bus.Loss) bool { return l.Count == 0 && counted(l.Kind) })
}

// counted are the losses whose number is known, so that 0 means none.
func counted(kind signal.Kind) bool {
	return kind == signal.PaymentFailed || kind == signal.SubscriptionUpgraded
}

// charged is how many failed payments the charges have shown. mu is held.
func (r *run) charged() int64 {
	for _, l := range r.lists {
		if l.section.name == "charges" {
			return l.found[signal.PaymentFailed].Object
		}
	}
	return 0
}
