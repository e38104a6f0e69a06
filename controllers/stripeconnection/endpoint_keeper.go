package stripeconnection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// slot is one region and mode, and what its endpoint is made of.
type slot struct {
	region   string
	mode     mode
	url      string
	platform stripeapi.Platform
	bus      *bus.Bus
}

func (at slot) key() string { return at.region + "/" + string(at.mode) }

// endpointKeeper keeps one endpoint for each region and mode. Connections share it, so that Stripe is asked once per
// pace and not once per connection, and that two of them never create at the same time.
type endpointKeeper struct {
	Config

	mu    sync.Mutex
	slots map[string]*slotState
}

// slotState is what is known of a slot since the last look at Stripe.
type slotState struct {
	mu       sync.Mutex
	checked  time.Time
	url      string
	platform stripeapi.Platform
	held     heldEndpoint
}

func newEndpointKeeper(c Config) *endpointKeeper {
	return &endpointKeeper{Config: c, slots: map[string]*slotState{}}
}

func (k *endpointKeeper) state(at slot) *slotState {
	k.mu.Lock()
	defer k.mu.Unlock()
	state, ok := k.slots[at.key()]
	if !ok {
		state = &slotState{}
		k.slots[at.key()] = state
	}
	return state
}

// fresh says whether Stripe needs no asking: it was asked lately, about the same.
func (st *slotState) fresh(at slot, held heldEndpoint, now time.Time) bool {
	return held.ID != "" && st.held.ID == held.ID && st.url == at.url && st.platform == at.platform && now.Sub(st.checked) < probeAfter
}

// ensure makes the slot's endpoint be there, be as declared, and be known to the receiver. insist asks Stripe even when
// it was asked lately. repaired is the reason of a drift that was found and mended.
func (k *endpointKeeper) ensure(ctx context.Context, at slot, now time.Time, insist bool) (held heldEndpoint, repaired string, err error) {
	st := k.state(at)
	st.mu.Lock()
	defer st.mu.Unlock()
	if held, err = k.recall(ctx, at, st); err != nil {
		return held, "", err
	}
	if !insist && st.fresh(at, held, now) {
		return held, "", k.publish(ctx, at, held)
	}
	if held, repaired, err = k.reconcile(ctx, at, held); err != nil {
		return held, "", err
	}
	st.checked, st.url, st.platform, st.held = now, at.url, at.platform, held
	return held, repaired, nil
}

// recall reads what we hold. When the Secret has been deleted, or the cache is behind, memory is better informed and
// writes it again.
func (k *endpointKeeper) recall(ctx context.Context, at slot, st *slotState) (heldEndpoint, error) {
	held, err := k.load(ctx, at)
	if err != nil || held.Generation >= st.held.Generation {
		return held, err
	}
	return st.held, k.save(ctx, at, st.held)
}

// reconcile compares with Stripe and acts: create and keep, publish, repair, and only then remove what is left over.
func (k *endpointKeeper) reconcile(ctx context.Context, at slot, held heldEndpoint) (heldEndpoint, string, error) {
	endpoints, spec := k.API.Endpoints(at.platform), endpointSpec(k.InstallationID, at)
	listed, err := endpoints.List(ctx)
	if err != nil {
		return held, "", k.refused(at, err)
	}
	plan := planEndpoint(listed, held.ID, spec)
	if plan.full {
		if plan, err = k.makeRoom(ctx, endpoints, at, plan); err != nil {
			return held, "", err
		}
	}
	if plan.keep == "" {
		if held, err = k.create(ctx, endpoints, at, spec, held.Generation); err != nil {
			return held, "", err
		}
	}
	if err := k.publish(ctx, at, held); err != nil {
		return held, "", err
	}
	if plan.repair != "" {
		if _, err := endpoints.Update(ctx, plan.keep, spec); err != nil {
			log.FromContext(ctx).Error(err, "repairing the webhook endpoint", "endpoint", plan.keep)
			return held, "", step.Wait(plan.repair, regularPace, fmt.Sprintf(
				"Endpoint %s is not as declared and could not be repaired. It is tried again by itself.", plan.keep))
		}
	}
	for _, id := range plan.remove {
		if err := endpoints.Delete(ctx, id); err != nil && !errors.Is(err, stripeapi.ErrNotFound) {
			return held, "", err
		}
	}
	return held, plan.repair, nil
}

// create makes an endpoint and keeps its secret, sealed, before anything else: no other call ever tells it.
func (k *endpointKeeper) create(ctx context.Context, endpoints *stripeapi.Endpoints, at slot, spec stripeapi.EndpointSpec, generation int64) (heldEndpoint, error) {
	created, err := endpoints.Create(ctx, spec)
	if err != nil {
		return heldEndpoint{}, k.refused(at, err)
	}
	sealed, err := k.BusVault.Seal([]byte(created.Secret.Reveal()), endpointContext(created.ID))
	if err != nil {
		return heldEndpoint{}, fmt.Errorf("seal endpoint secret: %w", err)
	}
	held := heldEndpoint{
		Endpoint:   bus.Endpoint{ID: created.ID, Secrets: [][]byte{sealed}, SecretIDs: []string{created.ID}},
		Generation: generation + 1,
		APIVersion: created.APIVersion,
	}
	return held, k.save(ctx, at, held)
}

// makeRoom removes left-over endpoints of ours first when the platform account has no room for another.
func (k *endpointKeeper) makeRoom(ctx context.Context, endpoints *stripeapi.Endpoints, at slot, plan endpointPlan) (endpointPlan, error) {
	if len(plan.remove) == 0 {
		return plan, step.UserActionFor(v1alpha1.ReasonEndpointQuota, fmt.Sprintf(
			"The platform account of region %s has %d webhook endpoints already, the most that Stripe allows. Remove one that is not needed.",
			at.region, endpointQuota))
	}
	for _, id := range plan.remove {
		if err := endpoints.Delete(ctx, id); err != nil && !errors.Is(err, stripeapi.ErrNotFound) {
			return plan, err
		}
	}
	plan.remove, plan.full = nil, false
	return plan, nil
}

// remove takes the slot's endpoints away: the receiver stops believing them first.
func (k *endpointKeeper) remove(ctx context.Context, at slot) error {
	st := k.state(at)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.held = heldEndpoint{}
	if err := at.bus.Endpoints().Delete(ctx, string(at.mode)); err != nil {
		return fmt.Errorf("withdraw endpoint: %w", err)
	}
	endpoints, spec := k.API.Endpoints(at.platform), endpointSpec(k.InstallationID, at)
	listed, err := endpoints.List(ctx)
	if err != nil {
		return err
	}
	for _, id := range planEndpoint(listed, "", spec).remove {
		if err := endpoints.Delete(ctx, id); err != nil && !errors.Is(err, stripeapi.ErrNotFound) {
			return err
		}
	}
	return k.drop(ctx, at)
}

// refused maps Stripe's refusal of the platform's own key, which no retry mends.
func (k *endpointKeeper) refused(at slot, err error) error {
	var refused *stripeapi.Error
	if errors.As(err, &refused) && (refused.Code == errcode.ST401 || refused.Code == errcode.ST403) {
		return step.UserActionFor(v1alpha1.ReasonPlatformCredentialsMissing, fmt.Sprintf(
			"Stripe refuses the platform's own key for region %s. Put a valid one into Secret %s of the operator's namespace.",
			at.region, platformSecretName(at.region)))
	}
	return err
}
