package dashboard

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

func (s shelf) Deliveries(_ context.Context, workspace string, q store.DeliveryQuery) (store.DeliveryPage, error) {
	page := store.DeliveryPage{Livemode: true}
	for _, d := range []store.Delivery{
		{Seq: 8, Customer: "cus_2", Endpoint: "r1", Host: "hooks.example", MessageID: "msg_2", EventType: "customer.at_risk", Status: store.DeliveryPending,
			Attempts: 2, ResponseCode: 500, Failure: "status", CreatedAt: now, AttemptedAt: now, NextAt: now.Add(5)},
		{Seq: 7, Customer: "cus_1", Endpoint: "r1", Host: "hooks.example", MessageID: "msg_1", EventType: "customer.churned", Status: store.DeliveryDelivered,
			Attempts: 1, ResponseCode: 204, CreatedAt: now, AttemptedAt: now, NextAt: now},
	} {
		if workspace == "ns/acme" && (q.Status == "" || q.Status == d.Status) && (q.Before == 0 || d.Seq < q.Before) && (q.Customer == "" || q.Customer == d.Customer) {
			page.Deliveries = append(page.Deliveries, d)
		}
	}
	if len(page.Deliveries) > q.Limit {
		page.Deliveries, page.Next = page.Deliveries[:q.Limit], page.Deliveries[q.Limit-1].Seq
	}
	return page, nil
}

func (s shelf) Resend(_ context.Context, workspace string, seq int64) error {
	switch {
	case workspace != "ns/acme" || seq > 8:
		return store.ErrNotFound
	case seq == 8:
		return store.ErrPending
	}
	return nil
}

func TestTheDeliveryLog(t *testing.T) {
	d := open(t)
	read := func(query string) (page report.Deliveries) {
		t.Helper()
		body := text(t, d.do("GET", "/api/v1/workspaces/ns/acme/deliveries"+query, nil))
		if err := json.Unmarshal([]byte(body), &page); err != nil || strings.Contains(body, `"body"`) {
			t.Fatalf("%s %v", body, err)
		}
		return page
	}
	all := read("")
	if len(all.Deliveries) != 2 || all.Next != "" {
		t.Fatalf("%+v", all)
	}
	if got := all.Deliveries[0]; got.ID != "8" || got.Status != "pending" || got.Attempts != 2 || got.ResponseCode != 500 || got.Failure != "status" ||
		!got.NextAt.Equal(now.Add(5)) || got.Host != "hooks.example" || got.MessageID != "msg_2" || got.Event != "customer.at_risk" {
		t.Errorf("%+v", got)
	}
	if got := all.Deliveries[1]; !got.NextAt.IsZero() || got.Status != "delivered" {
		t.Errorf("%+v", got)
	}
	first := read("?limit=1")
	if len(first.Deliveries) != 1 || first.Next != "8" {
		t.Errorf("%+v", first)
	}
	if rest := read("?limit=1&after=" + first.Next); len(rest.Deliveries) != 1 || rest.Deliveries[0].ID != "7" || rest.Next != "" {
		t.Errorf("%+v", rest)
	}
	if some := read("?status=delivered&customer=cus_1"); len(some.Deliveries) != 1 {
		t.Errorf("%+v", some)
	}
	for query, want := range map[string]string{"?limit=0": "bad_limit", "?status=lost": "bad_status", "?after=-1": "bad_cursor", "?after=x": "bad_cursor"} {
		var problem report.Problem
		body := text(t, d.do("GET", "/api/v1/workspaces/ns/acme/deliveries"+query, nil))
		if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Error.Code != want {
			t.Errorf("%s: %s", query, body)
		}
	}
}

func TestAResend(t *testing.T) {
	d := open(t)
	for target, want := range map[string]int{
		"ns/acme/deliveries/7/resend": http.StatusAccepted, "ns/acme/deliveries/8/resend": http.StatusConflict,
		"ns/acme/deliveries/9/resend": http.StatusNotFound, "ns/acme/deliveries/x/resend": http.StatusNotFound,
		"ns/other/deliveries/7/resend": http.StatusNotFound, "ns/american/deliveries/7/resend": http.StatusNotFound,
	} {
		if resp := d.post("/api/v1/workspaces/"+target, "", ""); resp.StatusCode != want {
			t.Errorf("%s: %d", target, resp.StatusCode)
		}
	}
	if resp := d.post("/api/v1/workspaces/ns/acme/deliveries/7/resend", "", "cross-site"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("from a page elsewhere: %d", resp.StatusCode)
	}
	if log := text(t, d.do("GET", "/api/v1/workspaces/ns/acme/audit", nil)); !strings.Contains(log, `"resend"`) {
		t.Errorf("the audit log: %s", log)
	}
}
