package stripesim

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

func bulkAccount(customers int) *Account {
	return Bulk(GenerateOptions{AccountID: "acct_bulk", Name: "Bulk", Country: "DE", Currency: "eur", Customers: customers, Years: 2, Seed: 1, End: present, Livemode: true})
}

func TestStencilsRenderWhatObjectsAre(t *testing.T) {
	a := bulkAccount(40)
	differing := 0
	for _, resource := range []string{"invoices", "charges"} {
		table, _ := a.table(resource, present.Unix())
		for i := range table.length {
			x := table.row(i)
			var b bytes.Buffer
			if !x.write(&b, nil) {
				t.Fatalf("%s %s has no stencil", resource, x.id)
			}
			var got, want any
			rendered, err := json.Marshal(x.render())
			if err != nil || json.Unmarshal(rendered, &want) != nil || json.Unmarshal(b.Bytes(), &got) != nil {
				t.Fatalf("%s %s: %v\n%s", resource, x.id, err, b.String())
			}
			if !reflect.DeepEqual(got, want) {
				differing++
				t.Errorf("%s by stencil\n%v\nis\n%v", x.id, got, want)
			}
			if differing > 2 {
				t.FailNow()
			}
		}
	}
}

func TestLimitsHoldInAnySecond(t *testing.T) {
	s, sim, _, a := simulator(t)
	s.SetLimits(Limits{Live: 8, Test: 8, Path: 3})
	for n, want := range []int{200, 200, 200, 429} {
		if status, _ := sim.request("GET", "/v1/invoices?limit=1", nil); status != want {
			t.Errorf("invoices, request %d: %d", n, status)
		}
	}
	for n, want := range []int{200, 200, 200, 200, 200, 429} {
		path := "/v1/charges?limit=1"
		if n > 2 {
			path = "/v1/customers?limit=1"
		}
		if status, _ := sim.request("GET", path, nil); status != want {
			t.Errorf("of all, request %d: %d", n, status)
		}
	}
	traffic := s.Traffic(a.ID, a.Livemode)
	if traffic.Refused != 2 || len(traffic.Allowed["invoices"]) != 3 {
		t.Errorf("%+v", traffic)
	}
}

func BenchmarkBulkPage(b *testing.B) {
	a := bulkAccount(200)
	for _, resource := range []string{"invoices", "charges"} {
		b.Run(resource, func(b *testing.B) {
			table, _ := a.table(resource, present.Unix())
			var page []row
			for i := range 100 {
				page = append(page, table.row(table.length-1-i))
			}
			expand := map[string][]string{"charges": {"invoice"}}[resource]
			for b.Loop() {
				l, ok := a.written(resource, page, true, expand)
				if !ok {
					b.Fatal("no stencil")
				}
				b.SetBytes(int64(len(l.bytes())))
			}
		})
	}
}
