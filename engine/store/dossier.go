package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

// Dossier is everything that a customer's score is made from.
type Dossier struct {
	Scope
	// State is the encoded scoring.State.
	State []byte
	// Signals are all of the customer's, in no particular order.
	Signals []signal.Signal
	// Params are those of the model in use, with the workspace's at-risk threshold.
	Params scoring.Params
}

// Dossier returns what a customer's score is made from, as of one instant, or ErrNotFound.
func (s *Store) Dossier(ctx context.Context, workspace, customer string) (d Dossier, err error) {
	err = s.view(ctx, func(q querier) error {
		w, ok, err := readScope(ctx, q, workspace, ModeAuto)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		d, err = dossier(ctx, q, w.scope, customer)
		if errors.Is(err, ErrNotFound) && w.scope.Livemode {
			w.scope.Livemode = false // as for Customer: a link from the test data's page still leads somewhere
			d, err = dossier(ctx, q, w.scope, customer)
		}
		return err
	})
	if err != nil {
		return Dossier{}, fmt.Errorf("read what a score is made from: %w", err)
	}
	return d, nil
}

func dossier(ctx context.Context, q querier, w Scope, customer string) (Dossier, error) {
	d := Dossier{Scope: w}
	key := []any{w.Workspace, bit(w.Livemode), customer}
	err := q.row(ctx, `SELECT state FROM customers WHERE workspace = ? AND livemode = ? AND customer = ? AND model_version <> ''`, key...).
		Scan(&d.State)
	if errors.Is(err, sql.ErrNoRows) {
		return d, ErrNotFound
	}
	if err != nil {
		return d, err
	}
	revision, _, err := currentRevision(ctx, q, w, "")
	if err != nil {
		return d, err
	}
	model, err := readModel(ctx, q, w, revision)
	if errors.Is(err, ErrUnreadableModel) {
		model, err = priorModel(), nil // as customers are then scored
	}
	if err != nil {
		return d, err
	}
	d.Params = model.Params
	err = q.row(ctx, `SELECT at_risk_threshold FROM workspaces WHERE workspace = ?`, w.Workspace).Scan(&d.Params.AtRisk)
	if err != nil {
		return d, err
	}
	return d, q.rows(ctx, `SELECT body FROM signals WHERE workspace = ? AND livemode = ? AND customer = ?`, key, func(rows *sql.Rows) error {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return err
		}
		sig, err := decodeSignal(body)
		d.Signals = append(d.Signals, sig)
		return err
	})
}
