package canary

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	marks "github.com/kustiq/kustiq/internal/stripesim/canary"
)

// object is a Stripe object as its JSON tells it.
type object = map[string]any

// stripe reads from the simulated Stripe what the worker reads, with the platform's own key.
type stripe struct {
	url, account, key string
}

func (d *dev) stripe(t *testing.T, livemode bool) stripe {
	t.Helper()
	secret, err := kubernetes.NewForConfigOrDie(d.kube).CoreV1().Secrets("kustiq-system").Get(t.Context(), "kustiq-platform-eu", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	key := secret.Data["secret-key-live"]
	if !livemode {
		key = secret.Data["secret-key-test"]
	}
	return stripe{d.env["STRIPE_URL"], d.env["ACCOUNT_ID"], string(key)}
}

func (s stripe) get(t *testing.T, path string) []byte {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Stripe-Account", s.account)
	a := do(t, http.DefaultClient, req)
	if a.status != http.StatusOK {
		t.Fatalf("GET %s answers %d: %s", path, a.status, a.body)
	}
	return a.body
}

// list reads all pages of a list.
func (s stripe) list(t *testing.T, resource, query string) (all []object) {
	t.Helper()
	after := ""
	for {
		var page struct {
			Data    []object
			HasMore bool `json:"has_more"`
		}
		if err := json.Unmarshal(s.get(t, "/v1/"+resource+"?limit=100"+query+after), &page); err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Data...)
		if !page.HasMore {
			return all
		}
		after = "&starting_after=" + page.Data[len(page.Data)-1]["id"].(string)
	}
}

// expected says what kinds of data Stripe has in which objects.
var expected = map[string][]marks.Kind{
	"customers":     {marks.Card, marks.Address, marks.Phone, marks.TaxID, marks.Bank, marks.Token, marks.Text, marks.Payload, marks.Email, marks.Name},
	"subscriptions": {marks.Card, marks.Phone, marks.TaxID, marks.Bank, marks.Token, marks.Text, marks.Payload},
	"invoices":      {marks.Card, marks.Address, marks.Phone, marks.TaxID, marks.Bank, marks.Token, marks.Text, marks.Link, marks.Payload, marks.Email, marks.Name},
	"charges":       {marks.Card, marks.Address, marks.Phone, marks.TaxID, marks.Bank, marks.Token, marks.Text, marks.Link, marks.Payload, marks.Email, marks.Name},
	"disputes":      {marks.Card, marks.Address, marks.Phone, marks.TaxID, marks.Bank, marks.Token, marks.Text, marks.Network, marks.Payload, marks.Email, marks.Name},
	"events":        append(marks.NeverKept(), marks.Sealed()...),
}

// answersCarryEveryKind shows that the run's payloads have what is looked for: without that, finding nothing means nothing.
func (d *dev) answersCarryEveryKind(t *testing.T) {
	s := d.stripe(t, true)
	carries := func(what string, body []byte, kinds []marks.Kind) {
		found := marks.NewFinder().Kinds(body)
		for _, kind := range kinds {
			if found[kind] == 0 {
				t.Errorf("%s carry no %s", what, kind)
			}
		}
	}
	for resource, kinds := range expected {
		query := ""
		if resource == "subscriptions" {
			query = "&status=all"
		}
		body, err := json.Marshal(s.list(t, resource, query))
		if err != nil {
			t.Fatal(err)
		}
		carries(resource, body, kinds)
	}
	carries("account", s.get(t, "/v1/account"), slices.DeleteFunc(marks.NeverKept(), func(k marks.Kind) bool { return k == marks.Link }))
}
