package backfill

import (
	"time"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/kube"
)

// scope is what one reconcile knows. The comments say which step fills a field; nothing else changes it.
type scope struct {
	// From the start: the Backfill as read, and a working copy of its status that is written once at the end.
	backfill   *v1alpha1.Backfill
	status     *v1alpha1.BackfillStatus
	conditions *kube.Conditions
	uid        string
	now        time.Time

	// connection and bus: locate.
	connection *v1alpha1.StripeConnection
	bus        *bus.Bus
	// progress: submit.
	progress bus.Progress
}

func (r *Reconciler) newScope(b *v1alpha1.Backfill) *scope {
	now := r.Clock.Now()
	return &scope{
		backfill:   b,
		status:     b.Status.DeepCopy(),
		conditions: kube.NewConditions(b.Status.Conditions, b.Generation, now),
		uid:        string(b.UID),
		now:        now,
	}
}
