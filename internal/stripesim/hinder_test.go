package stripesim

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestDeliveriesCanBeHindered(t *testing.T) {
	server, _, platform, _ := simulator(t)
	type got struct{ signature, body string }
	arrived := make(chan got, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- got{r.Header.Get("Stripe-Signature"), string(body)}
	}))
	t.Cleanup(hook.Close)
	_, created := platform.request("POST", "/v1/webhook_endpoints",
		url.Values{"url": {hook.URL}, "enabled_events[]": {"account.updated"}, "connect": {"true"}})
	secret := created["secret"].(string)
	for name, tc := range map[string]struct {
		fault DeliveryFault
		want  func(body string) string
	}{
		"not at all":      {DeliveryFault{}, func(body string) string { return Sign([]byte(body), secret, present.Unix()) }},
		"another secret":  {DeliveryFault{Secret: "whsec_x"}, func(body string) string { return Sign([]byte(body), "whsec_x", present.Unix()) }},
		"a clock behind":  {DeliveryFault{Skew: -10 * time.Minute}, func(body string) string { return Sign([]byte(body), secret, present.Unix()-600) }},
		"lost on its way": {DeliveryFault{Drop: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server.HinderDeliveries("acct_1", tc.fault)
			if err := server.SetRestricted("acct_1", true, true); err != nil {
				t.Fatal(err)
			}
			d := server.outbox[len(server.outbox)-1]
			status := server.post(t.Context(), d)
			if tc.want == nil {
				if status != 0 || len(arrived) != 0 {
					t.Fatalf("arrived with %d", status)
				}
				return
			}
			sent := <-arrived
			if status != 200 || sent.signature != tc.want(sent.body) || !strings.Contains(sent.body, `"charges_enabled":false`) {
				t.Errorf("%d, signed %s", status, sent.signature)
			}
		})
	}
	if err := server.SetRestricted("acct_none", true, true); err == nil {
		t.Error("an account that is not there was restricted")
	}
}
