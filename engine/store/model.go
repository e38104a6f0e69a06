package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
)

// modelsKept is how many models of a scope are kept, the one in use among them.
const modelsKept = 100

// ErrUnreadableModel says that a model was stored by a version of Kustiq with other weights.
var ErrUnreadableModel = errors.New("the model is of another version of Kustiq")

// StoredModel is one model of a scope.
type StoredModel struct {
	// Revision counts a workspace's models up, live and test together; 0 stands for the prior before any other.
	Revision int64
	Version  string
	Kind     string
	// CreatedAt is when it came into use.
	CreatedAt time.Time
	// Params that scores are made with. They are left out of a list of versions.
	Params scoring.Params
	// Card is the JSON of a report.ModelCard; empty for the prior before any other.
	Card []byte
}

func priorModel() StoredModel {
	p := scoring.Prior()
	return StoredModel{Version: p.Version, Kind: "prior", Params: p}
}

// storedParams is how parameters are kept.
type storedParams struct {
	Intercept float64          `json:"intercept"`
	Weights   *scoring.Weights `json:"weights,omitempty"`
	Fitted    []string         `json:"fitted,omitempty"`
}

func encodeParams(p scoring.Params) ([]byte, error) {
	out := storedParams{Intercept: p.Intercept, Weights: p.Weights}
	for i, fitted := range p.Fitted {
		if fitted {
			out.Fitted = append(out.Fitted, scoring.Coefficients[i].Name)
		}
	}
	return json.Marshal(out)
}

func decodeParams(raw []byte, version string) (scoring.Params, error) {
	var in storedParams
	if err := json.Unmarshal(raw, &in); err != nil {
		return scoring.Params{}, fmt.Errorf("%w: %s: %w", ErrUnreadableModel, version, err)
	}
	p := scoring.Params{Intercept: in.Intercept, Weights: in.Weights, Version: version}
	for _, name := range in.Fitted {
		if i := scoring.CoefficientIndex(name); i >= 0 {
			p.Fitted[i] = true
		}
	}
	return p, nil
}

// ModelRevisions returns which model each scope is on, 0 for the prior. Of a workspace that Workspaces has opened it is
// known already, and no other comes into use until the transaction ends. A transaction that has not opened it must ask
// after Customers or Due: whoever changes the model then makes the customers due again that this one locks.
func (t *Tx) ModelRevisions(ctx context.Context, scopes []Scope) (map[Scope]int64, error) {
	out := make(map[Scope]int64, len(scopes))
	var asked []string
	for _, s := range scopes {
		out[s] = t.models[s]
		if _, opened := t.keys[s.Workspace]; !opened {
			asked = append(asked, s.Workspace)
		}
	}
	asked = unique(asked, strings.Compare)
	err := t.queryMany(ctx, statement{
		head:  `SELECT workspace, live_model, test_model FROM workspaces WHERE workspace IN (`,
		tuple: `?`,
		tail:  `)`,
	}, len(asked), func(i int) []any { return []any{asked[i]} }, func(rows *sql.Rows) error {
		var name string
		var live, test int64
		err := rows.Scan(&name, &live, &test)
		for s, revision := range map[Scope]int64{{Workspace: name, Livemode: true}: live, {Workspace: name}: test} {
			if _, wanted := out[s]; wanted {
				out[s] = revision
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which models are in use: %w", err)
	}
	return out, nil
}

// ModelParams returns a model's parameters, and the prior's for a revision that has no model: 0, or what an erasure left.
// It fails with ErrUnreadableModel.
func (t *Tx) ModelParams(ctx context.Context, s Scope, revision int64) (scoring.Params, error) {
	m, err := readModel(ctx, t.querier(), s, revision)
	return m.Params, err
}

func readModel(ctx context.Context, q querier, s Scope, revision int64) (StoredModel, error) {
	m := StoredModel{Revision: revision}
	var params []byte
	var createdAt int64
	err := q.row(ctx, `SELECT version, kind, created_at, params, card FROM models
		WHERE workspace = ? AND livemode = ? AND revision = ?`, s.Workspace, bit(s.Livemode), revision).
		Scan(&m.Version, &m.Kind, &createdAt, &params, &m.Card)
	if errors.Is(err, sql.ErrNoRows) {
		m = priorModel()
		m.Revision = revision
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("read a model: %w", err)
	}
	m.CreatedAt = fromMilli(createdAt)
	m.Params, err = decodeParams(params, m.Version)
	return m, err
}

// currentRevision reads which model a scope is on.
func currentRevision(ctx context.Context, q querier, s Scope, lock string) (revision, newest int64, err error) {
	err = q.row(ctx, `SELECT CASE WHEN ? = 1 THEN live_model ELSE test_model END, models FROM workspaces WHERE workspace = ?`+lock,
		bit(s.Livemode), s.Workspace).Scan(&revision, &newest)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read which model is in use: %w", err)
	}
	return revision, newest, nil
}

// CurrentModel returns the model that a scope is on: the prior as long as it has no other.
func (s *Store) CurrentModel(ctx context.Context, scope Scope) (m StoredModel, err error) {
	err = s.view(ctx, func(q querier) error {
		revision, _, err := currentRevision(ctx, q, scope, "")
		if err != nil {
			return err
		}
		m, err = readModel(ctx, q, scope, revision)
		return err
	})
	return m, err
}

// ModelView is everything a page tells of a workspace's model.
type ModelView struct {
	Livemode bool
	Current  StoredModel
	// Versions are the newest 100, newest first, without parameters.
	Versions []StoredModel
	// Run is where its fitting stands; zero before it was ever planned.
	Run ModelRun
}

// Model returns the model of a workspace's live data or, as long as it has none, of its test data.
func (s *Store) Model(ctx context.Context, workspace string) (v ModelView, err error) {
	v.Current, v.Livemode = priorModel(), true
	err = s.view(ctx, func(q querier) error {
		w, ok, err := readScope(ctx, q, workspace, ModeAuto)
		if err != nil || !ok {
			return err
		}
		v.Livemode = w.scope.Livemode
		revision, _, err := currentRevision(ctx, q, w.scope, "")
		if err != nil {
			return err
		}
		v.Current, err = readModel(ctx, q, w.scope, revision)
		if err != nil && !errors.Is(err, ErrUnreadableModel) { // its card can be shown all the same
			return err
		}
		if v.Versions, err = readVersions(ctx, q, w.scope); err != nil {
			return err
		}
		v.Run, err = readRun(ctx, q, w.scope)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("read the workspace's model: %w", err)
	}
	return v, nil
}

func readVersions(ctx context.Context, q querier, s Scope) (out []StoredModel, err error) {
	err = q.rows(ctx, `SELECT revision, version, kind, created_at, card FROM models WHERE workspace = ? AND livemode = ?
		ORDER BY revision DESC LIMIT ?`, []any{s.Workspace, bit(s.Livemode), modelsKept}, func(rows *sql.Rows) error {
		var m StoredModel
		var createdAt int64
		err := rows.Scan(&m.Revision, &m.Version, &m.Kind, &createdAt, &m.Card)
		m.CreatedAt = fromMilli(createdAt)
		out = append(out, m)
		return err
	})
	return out, err
}

// SaveModel puts a new model into use, whose version is its kind with its number. Running batches end before, later ones
// use it. It fails with ErrClaimLost, and saves nothing, when the claim is no longer the caller's, as after an erasure.
// encodeCard is given the version and the instant.
func (s *Store) SaveModel(ctx context.Context, c ModelClaim, kind string, p scoring.Params,
	encodeCard func(version string, at time.Time) ([]byte, error)) (m StoredModel, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		m, err = tx.saveModel(ctx, c, kind, p, encodeCard)
		return err
	})
	if err != nil {
		return StoredModel{}, fmt.Errorf("save a model: %w", err)
	}
	return m, nil
}

func (t *Tx) saveModel(ctx context.Context, c ModelClaim, kind string, p scoring.Params,
	encodeCard func(version string, at time.Time) ([]byte, error)) (m StoredModel, err error) {
	// The workspace's row comes first: it waits for running batches, which score by the model from before.
	column := "test_model"
	if c.Livemode {
		column = "live_model"
	}
	if _, err = t.exec(ctx, `UPDATE workspaces SET models = models + 1, `+column+` = models + 1 WHERE workspace = ?`, c.Workspace); err != nil {
		return m, err
	}
	if err = t.holdClaim(ctx, c); err != nil {
		return m, err
	}
	revision, _, err := currentRevision(ctx, t.querier(), c.Scope, "")
	if err != nil {
		return m, err
	}
	m = StoredModel{Revision: revision, Kind: kind, Params: p, CreatedAt: fromMilli(t.store.clock.Now().UnixMilli())}
	if m.Version = fmt.Sprintf("%s-%d", kind, revision); kind == priorModel().Kind {
		m.Version = priorModel().Version
	}
	m.Params.Version = m.Version
	params, err := encodeParams(p)
	if err != nil {
		return m, err
	}
	if m.Card, err = encodeCard(m.Version, m.CreatedAt); err != nil {
		return m, err
	}
	_, err = t.exec(ctx, `INSERT INTO models (workspace, livemode, revision, version, kind, created_at, params, card)
		VALUES (?,?,?,?,?,?,?,?)`, c.Workspace, bit(c.Livemode), revision, m.Version, kind, m.CreatedAt.UnixMilli(), params, m.Card)
	if err != nil {
		return m, err
	}
	_, err = t.exec(ctx, `DELETE FROM models WHERE workspace = ? AND livemode = ? AND revision <= (SELECT revision FROM models
		WHERE workspace = ? AND livemode = ? ORDER BY revision DESC LIMIT 1 OFFSET ?)`,
		c.Workspace, bit(c.Livemode), c.Workspace, bit(c.Livemode), modelsKept)
	return m, err
}

// SaveCard replaces the card of the model in use. It fails with ErrClaimLost like SaveModel.
func (s *Store) SaveCard(ctx context.Context, c ModelClaim, card []byte) error {
	err := s.Update(ctx, func(tx *Tx) error {
		if err := tx.holdClaim(ctx, c); err != nil {
			return err
		}
		revision, _, err := currentRevision(ctx, tx.querier(), c.Scope, "")
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE models SET card = ? WHERE workspace = ? AND livemode = ? AND revision = ?`,
			card, c.Workspace, bit(c.Livemode), revision)
		return err
	})
	if err != nil {
		return fmt.Errorf("save a model's card: %w", err)
	}
	return nil
}
