package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

// CustomerKey names one customer of a scope.
type CustomerKey struct {
	Scope
	Customer string
}

// CustomerRecord is a customer as a transaction loads it, changes it and saves it.
type CustomerRecord struct {
	CustomerKey
	// Account is the acct_ id that the customer belongs to. Whoever changes a record that has none yet fills it in.
	Account string
	// State is the encoded scoring.State; empty for a new customer.
	State []byte
	// Evaluation is what SaveCustomers writes. Of a loaded record only what Before gives is filled.
	Evaluation scoring.Evaluation
	// TopReason is the label of the term that raises the risk most, and TopTerm its name.
	TopReason   string
	TopTerm     string
	EvaluatedAt time.Time
	FreshnessMs int64
	// Told is what the receivers of churn events were last told, encoded by engine/notify; empty when nothing was.
	Told string

	last     lastSignal
	identity sealedIdentity
	// searchBits are those that the identity's tokens set; noBits as long as they were not made.
	searchBits int64
	// tokens are what the identity is found by, where they have to be stored.
	tokens *string
	person *signal.Person // a newer identity, not sealed yet
	stored bool
	before scoring.Evaluation
	// account that before is of.
	accountBefore string
}

// Before is the stored evaluation that this record replaces: tier, score, p30, segment, revenue and model. ok is false for a
// customer that was not stored yet.
func (r *CustomerRecord) Before() (e scoring.Evaluation, ok bool) { return r.before, r.stored }

// lastSignal is the newest signal of a customer; one that can move a score goes before one that cannot.
type lastSignal struct {
	kind    signal.Kind
	created int64
	id      string
}

// sealedIdentity is a person and the signal it was taken from. The newest signal wins, whatever the order of arrival.
type sealedIdentity struct {
	sealed  []byte
	created int64
	id      string
}

// Observe takes from a newly stored signal what is kept beside the state: the identity and the last signal.
func (r *CustomerRecord) Observe(s signal.Signal) {
	l := lastSignal{kind: s.Kind, created: s.Created, id: s.ID}
	if r.last.id == "" || r.last.compare(l) < 0 {
		r.last = l
	}
	if s.Person == nil || (s.Person.Email == "" && s.Person.Name == "" && !aboutCustomer(s.Kind)) {
		return
	}
	if r.identity.id == "" || cmp.Or(cmp.Compare(r.identity.created, s.Created), strings.Compare(r.identity.id, s.ID)) < 0 {
		r.identity.created, r.identity.id, r.person = s.Created, s.ID, s.Person
	}
}

func (l lastSignal) compare(o lastSignal) int {
	return cmp.Or(cmp.Compare(bit(moves(l.kind)), bit(moves(o.kind))), cmp.Compare(l.created, o.created),
		strings.Compare(l.id, o.id))
}

// aboutCustomer says that the signal describes the customer object itself, so that an empty name there is a removed name.
func aboutCustomer(k signal.Kind) bool {
	return k == signal.CustomerCreated || k == signal.CustomerUpdated
}

// moves says that a signal of the kind can move a score by itself.
func moves(k signal.Kind) bool {
	return !aboutCustomer(k) && k != signal.InvoiceFinalized && k != signal.SubscriptionObserved
}

// Customers loads the customers and holds off other writers of them until the transaction ends. Customers that are not
// stored yet come as new records.
func (t *Tx) Customers(ctx context.Context, keys []CustomerKey) (map[CustomerKey]*CustomerRecord, error) {
	keys = unique(keys, compareKeys)
	if t.store.dialect.locks() {
		if err := t.reserve(ctx, keys); err != nil {
			return nil, err
		}
	}
	out := make(map[CustomerKey]*CustomerRecord, len(keys))
	for _, key := range keys {
		out[key] = &CustomerRecord{CustomerKey: key}
	}
	err := t.queryMany(ctx, statement{
		head:  keysCTE,
		tuple: keyTuple,
		tail: `) SELECT c.workspace, c.livemode, c.customer, c.state, c.tier, -c.neg_score, c.top_reason, c.evaluated_at,
			c.freshness_ms, c.last_kind, c.last_created, c.last_id, c.identity, c.identity_created, c.identity_id, c.account,
			c.p30, c.segment, -c.neg_mrr, c.currency, c.model_version, c.told, c.top_term, c.search_bits
			FROM k CROSS JOIN customers c
			WHERE c.workspace = k.workspace AND c.livemode = k.livemode AND c.customer = k.id AND c.model_version <> ''
			ORDER BY c.workspace, c.livemode, c.customer` + t.lock(` FOR UPDATE OF c`),
	}, len(keys), keyArgs(keys), func(rows *sql.Rows) error {
		r, err := scanRecord(rows)
		out[r.CustomerKey] = r
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read customers: %w", err)
	}
	return out, nil
}

func scanRecord(rows *sql.Rows) (*CustomerRecord, error) {
	r := &CustomerRecord{stored: true}
	var evaluatedAt int64
	err := rows.Scan(&r.Workspace, &r.Livemode, &r.Customer, &r.State, &r.before.Tier, &r.before.Score, &r.TopReason,
		&evaluatedAt, &r.FreshnessMs, &r.last.kind, &r.last.created, &r.last.id,
		&r.identity.sealed, &r.identity.created, &r.identity.id, &r.Account,
		&r.before.P30, &r.before.Segment, &r.before.MRR, &r.before.Currency, &r.before.ModelVersion, &r.Told, &r.TopTerm, &r.searchBits)
	r.before.MRR += 0 // a negated zero is none
	r.Evaluation, r.EvaluatedAt, r.accountBefore = r.before, fromMilli(evaluatedAt), r.Account
	return r, err
}

// reserve inserts empty rows for new customers, since only a row can be locked. An empty model version marks them;
// they become visible only once SaveCustomers has filled them.
func (t *Tx) reserve(ctx context.Context, keys []CustomerKey) error {
	_, err := t.execMany(ctx, statement{
		head:  `INSERT INTO customers (` + customerColumns + `) VALUES `,
		tuple: `(?,?,?,'','',9,0,0,0,'',0,'','','','',0,'',0,NULL,0,NULL,0,'','','','','',0)`,
		tail:  ` ON CONFLICT (workspace, livemode, customer) DO NOTHING`,
	}, len(keys), keyArgs(keys))
	if err != nil {
		return fmt.Errorf("reserve customers: %w", err)
	}
	return nil
}

const customerColumns = `workspace, livemode, customer, state, tier, tier_rank, neg_score, neg_mrr, p30, currency, segment,
	top_reason, terms, model_version, last_kind, last_created, last_id, evaluated_at, next_change_at, freshness_ms,
	identity, identity_created, identity_id, account, told, top_term, plan_interval, search_bits`

// saveCustomers replaces all but the key.
var saveCustomers = statement{
	head:  `INSERT INTO customers (` + customerColumns + `) VALUES `,
	tuple: `(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
	tail: ` ON CONFLICT (workspace, livemode, customer) DO UPDATE SET state = excluded.state, tier = excluded.tier,
		tier_rank = excluded.tier_rank, neg_score = excluded.neg_score, neg_mrr = excluded.neg_mrr, p30 = excluded.p30,
		currency = excluded.currency, segment = excluded.segment, top_reason = excluded.top_reason,
		terms = excluded.terms, model_version = excluded.model_version, last_kind = excluded.last_kind,
		last_created = excluded.last_created, last_id = excluded.last_id, evaluated_at = excluded.evaluated_at,
		next_change_at = excluded.next_change_at, freshness_ms = excluded.freshness_ms, identity = excluded.identity,
		identity_created = excluded.identity_created, identity_id = excluded.identity_id, account = excluded.account,
		told = excluded.told, top_term = excluded.top_term, plan_interval = excluded.plan_interval, search_bits = excluded.search_bits`,
}

// SaveCustomers writes records that Customers returned in this transaction, seals new identities, and adds a point to
// the history of those whose score or tier changed. Workspaces must have been called for their scopes if any Observe
// saw a person.
func (t *Tx) SaveCustomers(ctx context.Context, records []*CustomerRecord) error {
	rows := make([][]any, len(records))
	for i, r := range records {
		row, err := t.customerRow(r)
		if err != nil {
			return err
		}
		rows[i] = row
	}
	if _, err := t.execMany(ctx, saveCustomers, len(rows), func(i int) []any { return rows[i] }); err != nil {
		return fmt.Errorf("save customers: %w", err)
	}
	if err := t.saveTokens(ctx, records); err != nil {
		return err
	}
	for _, r := range records {
		t.total(r.Scope).changes = 1
		if !r.stored {
			t.total(r.Scope).customers++
		}
		t.countSegment(r)
	}
	return t.addHistory(ctx, records)
}

func (t *Tx) customerRow(r *CustomerRecord) ([]any, error) {
	e := r.Evaluation
	terms, err := json.Marshal(e.Terms)
	if err != nil {
		return nil, fmt.Errorf("encode terms: %w", err)
	}
	if err := t.sealPerson(r); err != nil {
		return nil, err
	}
	return []any{r.Workspace, bit(r.Livemode), r.Customer, r.State, string(e.Tier), tierRank(e.Tier), -e.Score,
		0 - e.MRR, e.P30, e.Currency, bit(e.Segment), r.TopReason, terms, e.ModelVersion, string(r.last.kind),
		r.last.created, r.last.id, r.EvaluatedAt.UnixMilli(), ceilMilli(e.NextChangeAt), r.FreshnessMs,
		r.identity.sealed, r.identity.created, r.identity.id, r.Account, r.Told,
		r.TopTerm, string(intervalOf(e.IntervalMonths)), r.searchBits}, nil
}

func intervalOf(months float64) Interval {
	switch months {
	case 0, 1:
		return Monthly
	case 12:
		return Yearly
	}
	return OtherInterval
}

// addHistory writes one point a day and customer, and only when the score or the tier changed: a day without a point
// has the score of the day before.
func (t *Tx) addHistory(ctx context.Context, records []*CustomerRecord) error {
	changed := make([]*CustomerRecord, 0, len(records))
	for _, r := range records {
		if !r.stored || r.before.Score != r.Evaluation.Score || r.before.Tier != r.Evaluation.Tier {
			changed = append(changed, r)
		}
	}
	_, err := t.execMany(ctx, statement{
		head:  `INSERT INTO score_history (workspace, livemode, customer, day, score, tier, p30) VALUES `,
		tuple: `(?,?,?,?,?,?,?)`,
		tail: ` ON CONFLICT (workspace, livemode, customer, day) DO UPDATE SET
			score = excluded.score, tier = excluded.tier, p30 = excluded.p30`,
	}, len(changed), func(i int) []any {
		r := changed[i]
		return []any{r.Workspace, bit(r.Livemode), r.Customer, dayOf(r.EvaluatedAt), r.Evaluation.Score,
			string(r.Evaluation.Tier), r.Evaluation.P30}
	})
	if err != nil {
		return fmt.Errorf("add to the score history: %w", err)
	}
	return nil
}

const secondsADay = 24 * 60 * 60

func dayOf(t time.Time) int64 { return t.Unix() / secondsADay }

// ceilMilli rounds up: an evaluation a fraction of a millisecond too early would find nothing changed.
func ceilMilli(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// tierRank is the first part of the order. Tiers outside the at-risk segment come last.
func tierRank(tier scoring.Tier) int {
	switch tier {
	case scoring.Critical:
		return 0
	case scoring.Leaving:
		return 1
	case scoring.Normal:
		return 2
	case scoring.Churned:
		return 3
	}
	return 4
}
