package stripeconnection

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/orphan"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// windDownDeadline is how long a deletion waits for Stripe or for credentials. After it, what is left there is recorded,
// told in an Event and left: a namespace must not hang on an account that nobody can reach.
const windDownDeadline = 15 * time.Minute

// delete undoes what the connection has made outside Kubernetes, acceptance first, and lets go of the object.
func (r *Reconciler) delete(ctx context.Context, conn *v1alpha1.StripeConnection) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(conn, v1alpha1.Finalizer) {
		return ctrl.Result{}, nil
	}
	s := r.newScope(conn)
	if s.bus == nil {
		s.note(warning, "RegionNotServed", "Delete", "The connection's region is not served any more: what the bus holds of it is left there.")
	}
	stops := step.Run(ctx, s, r.windDown)
	if len(stops) > 0 {
		return r.stillDeleting(ctx, s, stops)
	}
	for _, n := range s.notes {
		r.event(s, n)
	}
	r.memory.forget(s.uid)
	r.pacer.count(s.uid, "")
	return ctrl.Result{}, kube.RemoveFinalizer(ctx, r.Client, conn, v1alpha1.Finalizer)
}

func (r *Reconciler) stillDeleting(ctx context.Context, s *scope, stops []step.Stop) (ctrl.Result, error) {
	message := fmt.Sprintf("Being deleted: the attempt to %s is repeated until %s.", stops[0].Step, s.deadline().UTC().Format(time.RFC3339))
	block(s.conditions, metav1.ConditionFalse, v1alpha1.ReasonDeleting, message, step.Waiting)
	written := r.writeStatus(ctx, s)
	result, err := step.Schedule(stops, time.Minute, r.Jitter)
	if err = errors.Join(err, client.IgnoreNotFound(written)); err != nil {
		return ctrl.Result{}, err
	}
	return result, nil
}

// recallAccount loads the token, which is all that tells whose connection this is when the operator was killed before it
// wrote that to the status. It is written there before anything else is undone, as the token goes before the rest; and
// the route is withdrawn then.
func (r *Reconciler) recallAccount(ctx context.Context, s *scope) error {
	if err := r.loadToken(ctx, s); err != nil {
		return err
	}
	if s.token == nil || s.status.AccountID != "" {
		return nil
	}
	s.describeToken()
	if _, err := kube.ApplyStatus(ctx, r.Client, fieldOwner, s.conn, &s.conn.Status, s.status); err != nil {
		return err
	}
	return r.withdrawRoute(ctx, s)
}

// deauthorize gives the grant back to Stripe, which takes no token: one that is lost is told by the status. To Stripe the
// grants of two connections of one account are one and the same, so it stays while another has the account.
func (r *Reconciler) deauthorize(ctx context.Context, s *scope) error {
	if s.token == nil && s.status.Token.Generation == 0 {
		return nil // never authorised, or given back before
	}
	kept, err := r.keptFor(ctx, s, s.sharesGrant, "GrantKept", fmt.Sprintf("The grant of account %s is not given back", s.status.AccountID))
	if kept || err != nil {
		return err
	}
	err = r.readCredentials(ctx, s)
	if err == nil {
		err = r.giveBack(ctx, s, s.status.AccountID)
	}
	return r.orLeaveBehind(ctx, s, err, orphan.Orphan{Account: s.status.AccountID, Refused: errors.Is(err, stripeapi.ErrNotGranted)},
		fmt.Sprintf("Account %s could not be deauthorised.", s.status.AccountID))
}

// deleteToken removes the token, whether Stripe still honours it or not, and from the status what told of it: then
// there is nothing to give back if the rest has to be tried again. Its time stays: the API server makes null of an object
// whose every applied field has gone.
func (r *Reconciler) deleteToken(ctx context.Context, s *scope) error {
	if err := r.Tokens.Delete(ctx, s.uid); err != nil {
		return err
	}
	s.status.Token = v1alpha1.TokenStatus{LastRotation: s.status.Token.LastRotation}
	return nil
}

// clearBus removes what the bus holds of the connection.
func (r *Reconciler) clearBus(ctx context.Context, s *scope) error {
	if s.bus == nil {
		return nil
	}
	return errors.Join(
		s.bus.Offers().Delete(ctx, s.uid),
		s.bus.Grants().Delete(ctx, s.uid),
		s.bus.Health().Delete(ctx, s.uid),
		r.withdrawPolicy(ctx, s),
	)
}

// withdrawPolicy ends the matching of the account's customers, unless another connection has the account by now.
func (r *Reconciler) withdrawPolicy(ctx context.Context, s *scope) error {
	if s.status.AccountID == "" {
		return nil
	}
	key := bus.RouteKey(s.status.AccountID, s.mode.livemode())
	found, _, err := s.bus.MatchPolicies().Get(ctx, key)
	if errors.Is(err, bus.ErrNotFound) || (err == nil && found.Connection != s.uid) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read match policy: %w", err)
	}
	return errors.Join(s.bus.MatchPolicies().Delete(ctx, key), s.bus.Matches().Delete(ctx, key))
}

// releaseEndpoint removes the region's and mode's endpoint when this was the last connection that used it.
func (r *Reconciler) releaseEndpoint(ctx context.Context, s *scope) error {
	if s.bus == nil {
		return nil
	}
	return r.orLeaveBehind(ctx, s, r.removeEndpoint(ctx, s), orphan.Orphan{},
		fmt.Sprintf("The %s webhook endpoint of region %s could not be removed from the platform account.", s.mode, s.regionName))
}

// removeEndpoint removes the region's and mode's endpoint, unless a connection needs it.
func (r *Reconciler) removeEndpoint(ctx context.Context, s *scope) error {
	needed, err := r.endpointNeeded(ctx, s)
	if err != nil || needed {
		return err
	}
	if err := r.readCredentials(ctx, s); err != nil {
		return err
	}
	return r.endpoints.remove(ctx, slotFor(s))
}

// endpointNeeded says whether another connection of the same region and mode remains.
func (r *Reconciler) endpointNeeded(ctx context.Context, s *scope) (bool, error) {
	var connections v1alpha1.StripeConnectionList
	if err := r.Client.List(ctx, &connections, client.UnsafeDisableDeepCopy); err != nil { // read only
		return false, fmt.Errorf("list connections: %w", err)
	}
	for i := range connections.Items {
		other := &connections.Items[i]
		if string(other.UID) != s.uid && other.DeletionTimestamp.IsZero() &&
			modeOf(other.Spec.Mode) == s.mode && string(other.Status.Region) == s.regionName {
			return true, nil
		}
	}
	return false, nil
}

func (s *scope) deadline() time.Time { return s.conn.DeletionTimestamp.Add(windDownDeadline) }
