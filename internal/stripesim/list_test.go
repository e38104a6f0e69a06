package stripesim

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
)

// every reads a list to its end in one direction, in pages.
func every(t *testing.T, sim side, path, cursor string, limit int) (all []string) {
	t.Helper()
	at := ""
	for range 1000 {
		q := url.Values{"limit": {fmt.Sprint(limit)}}
		if at != "" {
			q.Set(cursor, at)
		}
		_, body := sim.request("GET", path+q.Encode(), nil)
		page := ids(body)
		if cursor == "ending_before" {
			all = append(page, all...)
		} else {
			all = append(all, page...)
		}
		if body["has_more"] != true {
			return all
		}
		if at = page[len(page)-1]; cursor == "ending_before" {
			at = page[0]
		}
	}
	t.Fatal("the list has no end")
	return nil
}

func TestPagesAgreeWithABruteForceReading(t *testing.T) {
	_, sim, _, a := simulator(t)
	from, until := present.Unix()-200*day, present.Unix()-20*day
	want := []string{}
	for _, inv := range slices.Backward(a.invoices.all) {
		if inv.created >= from && inv.created <= until && inv.status == "paid" {
			want = append(want, inv.id)
		}
	}
	path := fmt.Sprintf("/v1/invoices?status=paid&created[gte]=%d&created[lte]=%d&", from, until)
	for _, limit := range []int{7, 100} {
		if got := every(t, sim, path, "starting_after", limit); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %d invoices, want %d", limit, len(got), len(want))
		}
	}
	// Backwards from a cursor: all that is newer than it.
	oldest := want[len(want)-1]
	_, first := sim.request("GET", path+"limit=5&ending_before="+oldest, nil)
	if got := ids(first); !slices.Equal(got, want[len(want)-6:len(want)-1]) || first["has_more"] != true {
		t.Errorf("before %s: %v, want %v", oldest, got, want[len(want)-6:len(want)-1])
	}
}

func TestEventsOlderThanThirtyDaysAreGone(t *testing.T) {
	_, sim, _, a := simulator(t)
	old := a.record("customer.updated", present.Unix()-31*day, obj{}, nil)
	// It was recorded last, so put it where its time belongs.
	resort(&a.events, func(e *event) (int64, string) { return e.created, e.id })
	if status, _ := sim.request("GET", "/v1/events/"+old.id, nil); status != 404 {
		t.Errorf("an event of 31 days ago: %d", status)
	}
	if slices.Contains(every(t, sim, "/v1/events?", "starting_after", 100), old.id) {
		t.Error("the list has an event of 31 days ago")
	}
	if status, _ := sim.request("GET", "/v1/events?starting_after="+old.id, nil); status != 400 {
		t.Errorf("as a cursor: %d", status)
	}
}

func TestParametersAreChecked(t *testing.T) {
	_, sim, _, a := simulator(t)
	charge := a.charges.all[0].id
	for path, want := range map[string]struct {
		status      int
		code, param string
	}{
		"/v1/charges?colour=red":                           {400, "parameter_unknown", "colour"},
		"/v1/customers?email=a":                            {400, "parameter_unknown", "email"},
		"/v1/charges/" + charge + "?limit=1":               {400, "parameter_unknown", "limit"},
		"/v1/charges?limit=0":                              {400, "parameter_invalid", "limit"},
		"/v1/charges?created[gte]=soon":                    {400, "parameter_invalid", "created[gte]"},
		"/v1/charges?ending_before=ch_none":                {400, "resource_missing", "ending_before"},
		"/v1/charges?expand[]=customer":                    {400, "", "expand[]"},
		"/v1/charges?expand[]=data.colour":                 {400, "", "expand[]"},
		"/v1/charges/" + charge + "?expand[]=data.invoice": {400, "", "expand[]"},
		"/v1/charges/ch_none":                              {404, "resource_missing", "id"},
	} {
		status, body := sim.request("GET", path, nil)
		problem, _ := body["error"].(map[string]any)
		code, _ := problem["code"].(string)
		if status != want.status || code != want.code || problem["param"] != want.param {
			t.Errorf("%s: %d %v, want %+v", path, status, problem, want)
		}
	}
}

func TestExpansionsReachThroughReferences(t *testing.T) {
	_, sim, _, _ := simulator(t)
	_, body := sim.request("GET", "/v1/disputes?limit=1&expand[]=data.charge.invoice.customer", nil)
	o := body["data"].([]any)[0].(map[string]any)
	for _, step := range []string{"charge", "invoice", "customer"} {
		inner, ok := o[step].(map[string]any)
		if !ok || inner["object"] != step {
			t.Fatalf("%s is %v", step, o[step])
		}
		o = inner
	}
}

func BenchmarkPageOfALargeAccount(b *testing.B) {
	a := generate(1, 5000)
	q := url.Values{"limit": {"100"}, "created[lte]": {fmt.Sprint(present.Unix() - 300*day)}}
	for b.Loop() {
		t, _ := a.table("invoices", present.Unix())
		if page, _, refused := selectPage(t, "invoices", q); refused != nil || len(page) != 100 {
			b.Fatal(len(page), refused)
		}
	}
}
