package canary

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/stripesim"
)

const workspace = "/api/v1/workspaces/kustiq-demo/acme"

// story is what happens to a customer, in an order in which each step is possible.
var story = []stripesim.Action{
	stripesim.Move, stripesim.FailPayment, stripesim.FailPayment, stripesim.Pay, stripesim.Upgrade, stripesim.Downgrade, stripesim.Dispute,
	stripesim.Pause, stripesim.Resume, stripesim.Cancel, stripesim.WithdrawCancel, stripesim.CancelNow,
}

// storyCustomers is enough that some pay by card and some from a bank account.
const storyCustomers = 12

// letThingsHappen lets every action happen, and waits until the product has dealt with each event.
func (d *dev) letThingsHappen(t *testing.T) {
	happened, sent := map[stripesim.Action]int{}, map[string][]string{}
	for _, c := range d.liveCustomers(t)[:storyCustomers] {
		for _, action := range story {
			req, err := http.NewRequest(http.MethodPost, d.env["STRIPE_URL"]+"/_sim/accounts/"+d.env["ACCOUNT_ID"]+"/customers/"+c.ID+"/"+string(action), nil)
			if err != nil {
				t.Fatal(err)
			}
			a := do(t, http.DefaultClient, req)
			if a.status == http.StatusConflict {
				continue // such as an upgrade of the dearest plan
			}
			var event struct{ Event string }
			if err := json.Unmarshal(a.body, &event); err != nil || a.status != http.StatusOK {
				t.Fatalf("%s answers %d: %s", action, a.status, a.body)
			}
			happened[action]++
			sent[c.ID] = append(sent[c.ID], event.Event)
		}
	}
	for _, action := range story {
		if happened[action] == 0 {
			t.Errorf("%s happened to nobody", action)
		}
	}
	for customer, events := range sent {
		d.known = customer
		NewWithT(t).Eventually(func() []string { return d.unseen(t, customer, events) }, patience).Should(BeEmpty(), "events that did not arrive at %s", customer)
	}
}

// unseen are the events that a customer's signals do not tell of yet.
func (d *dev) unseen(t *testing.T, customer string, events []string) (missing []string) {
	t.Helper()
	var detail report.Detail
	if a := get(t, d.env["DASHBOARD_URL"]+workspace+"/customers/"+customer); a.status == http.StatusOK {
		if err := json.Unmarshal(a.body, &detail); err != nil {
			t.Fatal(err)
		}
	}
	told := map[string]bool{}
	for _, s := range detail.Signals {
		id, _, _ := strings.Cut(s.ID, "#")
		told[id] = true
	}
	for _, event := range events {
		if !told[event] {
			missing = append(missing, event)
		}
	}
	return missing
}
