package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/kustiq/kustiq/engine/signal"
)

// keysCTE starts a query over (workspace, livemode, id) tuples. The cast is for PostgreSQL, which otherwise takes every
// parameter of a VALUES list for text.
const (
	keysCTE  = `WITH k (workspace, livemode, id) AS (VALUES `
	keyTuple = `(?,CAST(? AS SMALLINT),?)`
)

// ScopedSignal is a signal and whose it is.
type ScopedSignal struct {
	Scope
	Signal signal.Signal
}

// SignalRef names one stored signal.
type SignalRef struct {
	CustomerKey
	ID string
}

// Ref names the signal.
func (s ScopedSignal) Ref() SignalRef {
	return SignalRef{CustomerKey: CustomerKey{Scope: s.Scope, Customer: s.Signal.Customer}, ID: s.Signal.ID}
}

// WithoutPerson returns the signal as it is stored: of a person it keeps what is no personal data, which is the
// merchant's profile id and when the customer was created.
func WithoutPerson(s signal.Signal) signal.Signal {
	if s.Person == nil {
		return s
	}
	s.Person = &signal.Person{ProfileID: s.Person.ProfileID, CustomerCreated: s.Person.CustomerCreated}
	return s
}

// InsertSignals stores signals without their persons and returns those that were not stored before. A signal whose id
// the customer already has is left as it is.
func (t *Tx) InsertSignals(ctx context.Context, signals []ScopedSignal) (fresh map[SignalRef]bool, err error) {
	fresh = make(map[SignalRef]bool, len(signals))
	byRef := make(map[SignalRef]int, len(signals))
	refs := make([]SignalRef, 0, len(signals))
	bodies := make([][]byte, len(signals))
	for i, s := range signals {
		if s.Signal.Customer == "" {
			return nil, errors.New("insert signals: a signal names no customer")
		}
		if _, ok := byRef[s.Ref()]; ok {
			continue
		}
		if bodies[i], err = json.Marshal(WithoutPerson(s.Signal)); err != nil {
			return nil, errors.New("insert signals: a signal cannot be encoded") // the cause could quote it
		}
		byRef[s.Ref()] = i
		refs = append(refs, s.Ref())
	}
	refs = unique(refs, compareRefs)
	err = t.queryMany(ctx, statement{
		head:  `INSERT INTO signals (workspace, livemode, customer, id, event_id, kind, created, provenance, body) VALUES `,
		tuple: `(?,?,?,?,?,?,?,?,?)`,
		tail: ` ON CONFLICT (workspace, livemode, customer, id) DO NOTHING
			RETURNING workspace, livemode, customer, id`,
	}, len(refs), func(i int) []any {
		n := byRef[refs[i]]
		s := signals[n]
		return []any{s.Workspace, bit(s.Livemode), s.Signal.Customer, s.Signal.ID, s.Signal.EventID, string(s.Signal.Kind),
			s.Signal.Created, string(s.Signal.Provenance), bodies[n]}
	}, func(rows *sql.Rows) error {
		var r SignalRef
		err := rows.Scan(&r.Workspace, &r.Livemode, &r.Customer, &r.ID)
		fresh[r] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("insert signals: %w", err)
	}
	for r := range fresh {
		t.total(r.Scope).signals++
	}
	return fresh, nil
}

func compareRefs(a, b SignalRef) int {
	return cmp.Or(compareKeys(a.CustomerKey, b.CustomerKey), strings.Compare(a.ID, b.ID))
}

// CustomerSignals returns all stored signals of the customers, in no particular order.
func (t *Tx) CustomerSignals(ctx context.Context, keys []CustomerKey) (map[CustomerKey][]signal.Signal, error) {
	keys = unique(keys, compareKeys)
	out := make(map[CustomerKey][]signal.Signal, len(keys))
	err := t.queryMany(ctx, statement{
		head:  keysCTE,
		tuple: keyTuple,
		tail: `) SELECT s.workspace, s.livemode, s.customer, s.body FROM k CROSS JOIN signals s
			WHERE s.workspace = k.workspace AND s.livemode = k.livemode AND s.customer = k.id`,
	}, len(keys), keyArgs(keys), func(rows *sql.Rows) error {
		var key CustomerKey
		var body []byte
		if err := rows.Scan(&key.Workspace, &key.Livemode, &key.Customer, &body); err != nil {
			return err
		}
		s, err := decodeSignal(body)
		out[key] = append(out[key], s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read signals: %w", err)
	}
	return out, nil
}

func decodeSignal(body []byte) (s signal.Signal, err error) {
	if json.Unmarshal(body, &s) != nil {
		return s, errors.New("a stored signal cannot be decoded")
	}
	return s, nil
}

func keyArgs(keys []CustomerKey) func(i int) []any {
	return func(i int) []any { return []any{keys[i].Workspace, bit(keys[i].Livemode), keys[i].Customer} }
}
