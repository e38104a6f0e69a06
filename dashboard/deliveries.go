package dashboard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// Deliveries is the log of churn events. Resend fails with store.ErrNotFound and store.ErrPending.
type Deliveries interface {
	Deliveries(ctx context.Context, workspace string, q store.DeliveryQuery) (store.DeliveryPage, error)
	Resend(ctx context.Context, workspace string, seq int64) error
}

var deliveryStatuses = []store.DeliveryStatus{store.DeliveryPending, store.DeliveryDelivered, store.DeliveryGivenUp}

// apiDeliveries lists churn events on their way and what became of earlier ones.
func (d *Dashboard) apiDeliveries(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	query := r.URL.Query()
	q := store.DeliveryQuery{Status: store.DeliveryStatus(query.Get("status")), Customer: query.Get("customer")}
	var err error
	if q.Mode, err = modeOf(query); err == nil {
		q.Limit, err = limitOf(query)
	}
	if d.refused(w, err) {
		return
	}
	if q.Status != "" && !slices.Contains(deliveryStatuses, q.Status) {
		refuse(w, http.StatusBadRequest, "bad_status", "status must be pending, delivered or given_up")
		return
	}
	if text := query.Get("after"); text != "" {
		if q.Before, err = strconv.ParseInt(text, 10, 64); err != nil || q.Before < 1 {
			refusedCursor(w, store.ErrCursor, ofSameQuery)
			return
		}
	}
	page, err := d.Store.Deliveries(r.Context(), workspace, q)
	if err != nil {
		d.apiFailure(w, "list churn events", err)
		return
	}
	out := report.Deliveries{Workspace: workspace, AsOf: d.Clock.Now(), Livemode: page.Livemode, Deliveries: []report.Delivery{}}
	if page.Next > 0 {
		out.Next = strconv.FormatInt(page.Next, 10)
	}
	for _, found := range page.Deliveries {
		out.Deliveries = append(out.Deliveries, deliveryOf(found))
	}
	answer(w, out)
}

func deliveryOf(d store.Delivery) report.Delivery {
	out := report.Delivery{
		ID: strconv.FormatInt(d.Seq, 10), Event: d.EventType, Customer: d.Customer, MessageID: d.MessageID, Receiver: d.Endpoint, Host: d.Host,
		Status: string(d.Status), Attempts: d.Attempts, ResponseCode: d.ResponseCode, Failure: d.Failure, CreatedAt: d.CreatedAt,
		AttemptedAt: d.AttemptedAt,
	}
	if d.Status == store.DeliveryPending {
		out.NextAt = d.NextAt
	}
	return out
}

// apiResend has a churn event delivered again, which an engine does within seconds.
func (d *Dashboard) apiResend(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	id := r.PathValue("delivery")
	seq, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		refuse(w, http.StatusNotFound, "delivery_not_found", "there is no such delivery in "+workspace)
		return
	}
	err = d.audited(r, action{workspace: workspace, verb: "resend", object: "workspace/" + r.PathValue("name"), subjects: id}, func() error {
		return d.Store.Resend(r.Context(), workspace, seq)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		refuse(w, http.StatusNotFound, "delivery_not_found", "there is no such delivery in "+workspace)
	case errors.Is(err, store.ErrPending):
		refuse(w, http.StatusConflict, "still_pending", "it has been neither delivered nor given up yet, and is tried by itself")
	case err != nil:
		d.apiFailure(w, "send a churn event again", err)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}
