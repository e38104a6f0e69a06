package kill_test

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"

	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

// compare holds the store against a fold of the history in one go.
func (s *stack) compare(history []event) {
	s.t.Helper()
	want := s.fold(history)
	scores, err := store.Open(s.t.Context(), store.Options{
		DSN: s.dsn(), Vault: s.identity, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	s.must(err)
	defer func() { s.must(scores.Close()) }()
	customers, signals := map[string]int{}, map[string]int{}
	for key, expected := range want {
		customers[key.Workspace]++
		signals[key.Workspace] += len(expected)
	}
	for workspace := range customers {
		counts, err := scores.Counts(s.t.Context(), workspace)
		s.must(err)
		if counts.Customers != customers[workspace] || counts.Signals != signals[workspace] {
			s.t.Errorf("%s has %d customers and %d signals, want %d and %d", workspace, counts.Customers, counts.Signals, customers[workspace], signals[workspace])
		}
	}
	s.must(scores.Update(s.t.Context(), func(tx *store.Tx) error {
		for key, expected := range want {
			if err := s.compareOne(tx, key, expected); err != nil {
				return err
			}
		}
		return nil
	}))
	failed := 0
	for workspace := range customers {
		listed, err := scores.Failed(s.t.Context(), workspace, store.FailedQuery{})
		s.must(err)
		failed += len(listed.Events)
	}
	s.t.Logf("compared %d customers with %d signals", len(want), signals[workspaceOf(0)]+signals[workspaceOf(1)]+signals[workspaceOf(2)])
	if failed > 0 {
		s.t.Errorf("%d events are listed as failed", failed)
	}
}

func (s *stack) compareOne(tx *store.Tx, key store.CustomerKey, want []signal.Signal) error {
	s.t.Helper()
	keys := []store.CustomerKey{key}
	stored, err := tx.CustomerSignals(s.t.Context(), keys)
	if err != nil {
		return err
	}
	got := slices.Clone(stored[key])
	byID(got)
	if !reflect.DeepEqual(got, want) {
		s.t.Errorf("%s has %d signals, want %d:\n%s\n%s", key.Customer, len(got), len(want), written(got), written(want))
		return nil
	}
	records, err := tx.Customers(s.t.Context(), keys)
	if err != nil {
		return err
	}
	var state scoring.State
	if err := json.Unmarshal(records[key].State, &state); err != nil {
		return err
	}
	if folded := written(scoring.Fold(want)); written(&state) != folded {
		s.t.Errorf("%s is in state %s, want %s", key.Customer, written(&state), folded)
	}
	return nil
}

// fold is what every event says about every customer, by the signals' ids.
func (s *stack) fold(history []event) map[store.CustomerKey][]signal.Signal {
	s.t.Helper()
	all := map[store.CustomerKey][]signal.Signal{}
	for _, e := range history {
		decoded, err := signal.DecodeEvent([]byte(e.body))
		s.must(err)
		signals, err := signal.Classify(decoded)
		s.must(err)
		for _, one := range signals {
			key := store.CustomerKey{Scope: store.Scope{Workspace: e.workspace, Livemode: true}, Customer: one.Customer}
			all[key] = append(all[key], store.WithoutPerson(one))
		}
	}
	for _, signals := range all {
		byID(signals)
	}
	return all
}

func byID(signals []signal.Signal) {
	slices.SortFunc(signals, func(a, b signal.Signal) int { return cmp.Compare(a.ID, b.ID) })
}

func written(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
