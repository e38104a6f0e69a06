package stripesim

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/kustiq/kustiq/internal/stripesim/canary"
)

// The search for marked values proves something only if the payloads carry them.
func TestEveryObjectCarriesItsCustomersMarkedValues(t *testing.T) {
	server, _, _, a := simulator(t)
	c := a.customers.all[len(a.customers.all)-1]
	for _, action := range []Action{Move, FailPayment, Cancel} {
		if _, err := server.Act(a.ID, c.id, action); err != nil {
			t.Fatal(err)
		}
	}
	everything := []canary.Kind{canary.Card, canary.Phone, canary.TaxID, canary.Bank, canary.Token, canary.Text}
	for name, object := range map[string]obj{
		"customer": c.render(a), "subscription": c.subs[0].render(a), "invoice": c.subs[0].latest.render(a),
		"charge": c.subs[0].latest.charge.render(a), "dispute": a.newDispute(c.subs[0].latest.charge, server.now()).render(a),
		"event": a.events.all[len(a.events.all)-1].body,
	} {
		body, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		kinds := canary.NewFinder().Kinds(body)
		for _, kind := range everything {
			if kinds[kind] == 0 {
				t.Errorf("%s carries no %s", name, kind)
			}
		}
		if !bytes.Contains(body, []byte(c.bird.Note())) {
			t.Errorf("%s carries nothing that tells its customer", name)
		}
	}
}

func TestACustomerMoves(t *testing.T) {
	server, sim, _, a := simulator(t)
	c := a.customers.all[len(a.customers.all)-1]
	id, err := server.Act(a.ID, c.id, Move)
	if err != nil {
		t.Fatal(err)
	}
	_, body := sim.request("GET", "/v1/events/"+id, nil)
	data := body["data"].(map[string]any)
	after := data["object"].(map[string]any)["address"].(map[string]any)
	before := data["previous_attributes"].(map[string]any)["address"].(map[string]any)
	if body["type"] != "customer.updated" || after["line2"] != "Hinterhaus 1" || before["line2"] != nil {
		t.Errorf("%s: from %v to %v", body["type"], before, after)
	}
}
