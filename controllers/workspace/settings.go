package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
)

// publish tells the engine of the workspace's region what the workspace asks for. What is published already stays:
// every sealing gives other bytes, and a change would have all customers judged again.
func (r *Reconciler) publish(ctx context.Context, w *v1alpha1.Workspace, targets []target) error {
	b := r.Buses[string(w.Spec.Region)]
	if b == nil {
		return nil
	}
	key := w.Namespace + "/" + w.Name
	wanted := bus.Settings{AtRiskThreshold: int(w.Spec.AtRiskThreshold)}
	published, _, err := b.Settings().Get(ctx, key)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return fmt.Errorf("read published settings: %w", err)
	}
	for _, t := range targets {
		receiver, err := r.seal(key, t, published.Receivers)
		if err != nil {
			return err
		}
		wanted.Receivers = append(wanted.Receivers, receiver)
	}
	if err == nil && same(published, wanted) {
		return nil
	}
	if _, err := b.Settings().Put(ctx, key, wanted); err != nil {
		return fmt.Errorf("publish settings: %w", err)
	}
	return nil
}

// seal makes a receiver, or takes the published one when that says the same.
func (r *Reconciler) seal(workspace string, t target, published []bus.Receiver) (bus.Receiver, error) {
	receiver := bus.Receiver{ID: bus.ReceiverID(t.secret.URL), Host: t.host, EventTypes: t.eventTypes}
	plain, err := json.Marshal(t.secret)
	if err != nil {
		return receiver, errors.New("encode a receiver")
	}
	place := bus.ReceiverContext(workspace, receiver.ID)
	at := slices.IndexFunc(published, func(p bus.Receiver) bool { return p.ID == receiver.ID })
	if at >= 0 {
		if known, err := r.BusVault.Unseal(published[at].Sealed, place); err == nil && bytes.Equal(known, plain) {
			receiver.Sealed = published[at].Sealed
			return receiver, nil
		}
	}
	if receiver.Sealed, err = r.BusVault.Seal(plain, place); err != nil {
		return receiver, fmt.Errorf("seal a receiver: %w", err)
	}
	return receiver, nil
}

func same(a, b bus.Settings) bool {
	return a.AtRiskThreshold == b.AtRiskThreshold && slices.EqualFunc(a.Receivers, b.Receivers, func(x, y bus.Receiver) bool {
		return x.ID == y.ID && x.Host == y.Host && slices.Equal(x.EventTypes, y.EventTypes) && bytes.Equal(x.Sealed, y.Sealed)
	})
}

// withdraw removes the settings of a workspace that is gone.
func (r *Reconciler) withdraw(ctx context.Context, workspace string) error {
	for _, b := range r.Buses {
		if err := b.Settings().Delete(ctx, workspace); err != nil {
			return fmt.Errorf("withdraw settings: %w", err)
		}
	}
	return nil
}
