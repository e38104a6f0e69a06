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
	"github.com/kustiq/kustiq/engine/signal"
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

// endpointKeeper keeps one endpoint for each region and mode, two while a secret is being replaced. Connections share
// it, so that Stripe is asked once per pace and not once per connection, and that two of them never create at the same
// time.
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

// want is what one connection asks of its slot.
type want struct {
	// insist asks Stripe even when it was asked lately.
	insist bool
	// rotation names a request for a new signing secret; "" is none. One that was granted already is granted again.
	rotation string
}

// kept is what came of it.
type kept struct {
	heldEndpoint
	// repaired is the reason of a drift that was found and mended; "" when there was none.
	repaired string
	// rotated says that this call has made a new secret; crowded, that there was no room for it.
	rotated, crowded bool
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

// fresh says whether Stripe needs no asking: it was asked lately, about the same, and nothing is due.
func (st *slotState) fresh(at slot, held heldEndpoint, w want, now time.Time) bool {
	return held.ID != "" && st.held.ID == held.ID && st.url == at.url && st.platform == at.platform &&
		now.Sub(st.checked) < probeAfter && !w.insist && !held.wants(w.rotation) && !held.due(now)
}

// ensure makes the slot's endpoint be there, be as declared, and be known to the receiver.
func (k *endpointKeeper) ensure(ctx context.Context, at slot, now time.Time, w want) (kept, error) {
	st := k.state(at)
	st.mu.Lock()
	defer st.mu.Unlock()
	held, err := k.recall(ctx, at, st)
	if err != nil {
		return kept{}, err
	}
	if st.fresh(at, held, w, now) {
		return kept{heldEndpoint: held}, k.publish(ctx, at, held)
	}
	result, err := k.reconcile(ctx, at, st.checked, held, now, w)
	if err != nil {
		return result, err
	}
	st.checked, st.url, st.platform, st.held = now, at.url, at.platform, result.heldEndpoint
	return result, nil
}

// recall reads what we hold. When the Secret has been deleted, or the cache is behind, memory is better informed and
// writes it again; after a restart the bus still has what the receiver works with.
func (k *endpointKeeper) recall(ctx context.Context, at slot, st *slotState) (heldEndpoint, error) {
	held, err := k.load(ctx, at)
	if err != nil {
		return held, err
	}
	better := st.held
	if held.ID == "" && better.ID == "" {
		published, _, err := at.bus.Endpoints().Get(ctx, string(at.mode))
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			return held, fmt.Errorf("read published endpoint: %w", err)
		}
		better.Endpoint = published
	}
	if held.Generation >= better.Generation {
		return held, nil
	}
	return better, k.save(ctx, at, better)
}

// reconcile compares with Stripe and acts: make room, create and keep, publish, let a new one speak or repair the old,
// and only then remove what has had its time. At no moment are there more than two endpoints of ours. What it puts right it keeps
// first, with the time of the last look, so that every connection hears of it.
func (k *endpointKeeper) reconcile(ctx context.Context, at slot, checked time.Time, held heldEndpoint, now time.Time, w want) (kept, error) {
	result := kept{heldEndpoint: held}
	endpoints, spec := k.api(at.platform).Endpoints(at.platform), endpointSpec(k.InstallationID, at)
	listed, err := endpoints.List(ctx)
	if err != nil {
		return result, k.refused(at, err)
	}
	plan := planEndpoint(listed, held, spec, w.rotation)
	if err := k.removeAll(ctx, endpoints, plan.strays); err != nil {
		return result, err
	}
	if plan.lost(held) {
		held = held.mended(checked, now)
	}
	if plan.create {
		room := len(listed)-len(plan.strays) < endpointQuota
		made, err := k.create(ctx, endpoints, at, spec, held.replacedBy(plan.keep, w.rotation, now), room)
		switch {
		case err == nil:
			result.heldEndpoint, result.rotated = made, plan.keep != ""
		case plan.keep == "" || !errors.Is(err, errNoRoom):
			return result, err
		default:
			result.crowded = true
		}
	}
	if err := k.publish(ctx, at, result.heldEndpoint); err != nil {
		return result, err
	}
	if result.ID != held.ID {
		if err := update(ctx, endpoints, result.ID, spec, v1alpha1.ReasonEndpointDrift); err != nil {
			return result, err
		}
	}
	if plan.repair != "" {
		if result.Mended = held.Mended; result.ID == held.ID {
			if err := k.save(ctx, at, result.heldEndpoint); err != nil {
				return result, err
			}
		}
		if err := update(ctx, endpoints, plan.keep, spec, plan.repair); err != nil {
			return result, err
		}
		result.repaired = plan.repair
	}
	result.heldEndpoint, err = k.retire(ctx, endpoints, at, result.heldEndpoint, now)
	return result, err
}

// update brings an endpoint to what is declared.
func update(ctx context.Context, endpoints *stripeapi.Endpoints, id string, spec stripeapi.EndpointSpec, reason string) error {
	if _, err := endpoints.Update(ctx, id, spec); err != nil {
		log.FromContext(ctx).Error(err, "updating the webhook endpoint", "endpoint", id)
		return step.Wait(reason, regularPace, fmt.Sprintf(
			"Endpoint %s is not as declared and could not be repaired. It is tried again by itself.", id))
	}
	return nil
}

// errNoRoom marks the refusal of one endpoint more than Stripe allows.
var errNoRoom = errors.New("no room for another endpoint")

// create makes an endpoint and keeps its secret, sealed, before anything else: no other call ever tells it. Until the
// receiver knows the secret it must refuse what is signed with it, so the endpoint only asks for a rare event at first.
func (k *endpointKeeper) create(ctx context.Context, endpoints *stripeapi.Endpoints, at slot, spec stripeapi.EndpointSpec, held heldEndpoint, room bool) (heldEndpoint, error) {
	if !room {
		return held, errors.Join(errNoRoom, step.UserActionFor(v1alpha1.ReasonEndpointQuota, fmt.Sprintf(
			"The platform account of region %s has %d webhook endpoints already, the most that Stripe allows. Remove one that is not needed.",
			at.region, endpointQuota)))
	}
	spec.Events = signal.ControlEventTypes()[:1]
	created, err := endpoints.Create(ctx, spec)
	if err != nil {
		return held, k.refused(at, err)
	}
	sealed, err := k.BusVault.Seal([]byte(created.Secret.Reveal()), endpointContext(created.ID))
	if err != nil {
		return held, fmt.Errorf("seal endpoint secret: %w", err)
	}
	held.ID, held.ClientID, held.APIVersion = created.ID, at.platform.ClientID, created.APIVersion
	held.Secrets = append([][]byte{sealed}, held.Secrets...)
	held.SecretIDs = append([]string{created.ID}, held.SecretIDs...)
	held.Generation++
	return held, k.save(ctx, at, held)
}

// retire removes the endpoint before the current one when its time has come, and forgets its secret when no request that
// it signed can still be on its way.
func (k *endpointKeeper) retire(ctx context.Context, endpoints *stripeapi.Endpoints, at slot, held heldEndpoint, now time.Time) (heldEndpoint, error) {
	if !held.due(now) {
		return held, nil
	}
	old := *held.Retiring
	if !old.Removed {
		if err := k.removeAll(ctx, endpoints, []string{old.ID}); err != nil {
			return held, err
		}
		old.Removed, old.Until = true, now.Add(secretAfterlife)
		held.Retiring = &old
		return held, k.save(ctx, at, held)
	}
	held = held.without(old.ID)
	if err := k.save(ctx, at, held); err != nil {
		return held, err
	}
	return held, k.publish(ctx, at, held)
}

func (k *endpointKeeper) removeAll(ctx context.Context, endpoints *stripeapi.Endpoints, ids []string) error {
	for _, id := range ids {
		if err := endpoints.Delete(ctx, id); err != nil && !errors.Is(err, stripeapi.ErrNotFound) {
			return err
		}
	}
	return nil
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
	endpoints := k.api(at.platform).Endpoints(at.platform)
	listed, err := endpoints.List(ctx)
	if err != nil {
		return err
	}
	if err := k.removeAll(ctx, endpoints, oursAmong(listed, endpointSpec(k.InstallationID, at))); err != nil {
		return err
	}
	return k.drop(ctx, at)
}

// refused maps Stripe's refusal of the platform's own key, which no retry mends.
func (k *endpointKeeper) refused(at slot, err error) error {
	var refused *stripeapi.Error
	if errors.As(err, &refused) && (refused.Code == errcode.ST401 || refused.Code == errcode.ST403) {
		return platformRefused(at.region)
	}
	return err
}
