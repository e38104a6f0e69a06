package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// Models is what the dashboard reads of workspaces' models, and how it asks for a fit. AskModelRun fails with
// store.ErrNotFound for a workspace that has never received anything.
type Models interface {
	Model(ctx context.Context, workspace string) (store.ModelView, error)
	AskModelRun(ctx context.Context, workspace string) error
}

func (d *Dashboard) apiModel(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	m, err := d.model(r.Context(), workspace)
	if err != nil {
		d.apiFailure(w, "read the model", err)
		return
	}
	answer(w, m)
}

// apiFit asks for a fit, which an engine takes up within seconds; asking twice is asking once.
func (d *Dashboard) apiFit(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	err := d.audited(r, action{workspace: workspace, verb: "fit", object: "workspace/" + r.PathValue("name")}, func() error {
		return d.Store.AskModelRun(r.Context(), workspace)
	})
	if errors.Is(err, store.ErrNotFound) {
		refuse(w, http.StatusConflict, "no_history", workspace+" has not received anything yet: connect its Stripe account first")
		return
	}
	var m report.Model
	if err == nil {
		m, err = d.model(r.Context(), workspace)
	}
	if err != nil {
		d.apiFailure(w, "ask for a fit", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(m.Run) // the client has gone
}

// model reads a workspace's model as the API's document.
func (d *Dashboard) model(ctx context.Context, workspace string) (report.Model, error) {
	v, err := d.Store.Model(ctx, workspace)
	if err != nil {
		return report.Model{}, err
	}
	out := report.Model{Workspace: workspace, AsOf: d.Clock.Now(), Livemode: v.Livemode, Versions: []report.ModelVersion{}}
	out.Card = cardOf(v.Current)
	if len(v.Current.Card) == 0 {
		out.Card.Reason = "the workspace's history has not been looked at yet"
	}
	for _, m := range v.Versions {
		card := cardOf(m)
		out.Versions = append(out.Versions, report.ModelVersion{
			Version: m.Version, Kind: m.Kind, CreatedAt: m.CreatedAt, Reason: card.Reason, Figures: card.Figures,
		})
	}
	out.Run = report.ModelRun{
		State: report.RunWaiting, StartedAt: v.Run.StartedAt, FinishedAt: v.Run.FinishedAt, Result: v.Run.Result, NextAt: v.Run.NextAt,
	}
	switch {
	case v.Run.RunningAt(out.AsOf):
		out.Run.State, out.Run.Phase, out.Run.Done, out.Run.Total = report.RunRunning, v.Run.Phase, v.Run.Done, v.Run.Total
	case v.Run.Asked:
		out.Run.State = report.RunAsked
	case v.Run.Failed:
		out.Run.State = report.RunFailed
	}
	return out, nil
}

// cardOf reads a card. One of another version of Kustiq keeps what can be read of it.
func cardOf(m store.StoredModel) report.ModelCard {
	card := report.ModelCard{Weights: []report.ModelWeight{}}
	_ = json.Unmarshal(m.Card, &card) // there may be none, and a part of it is better than nothing
	card.Version, card.Kind, card.CreatedAt = m.Version, m.Kind, m.CreatedAt
	return card
}
