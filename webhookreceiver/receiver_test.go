package webhookreceiver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/vault"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// bench is a receiver on a real bus, with one live connection and the live endpoint's two secrets.
type bench struct {
	t        *testing.T
	server   *bus.Server
	bus      *bus.Bus
	vault    *vault.Vault
	clock    *clocktesting.FakeClock
	receiver *Receiver
	handler  http.Handler
	// stopped says that the bus is gone, which Run may rightly complain of.
	stopped bool
}

func start(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b := &bench{t: t, clock: clocktesting.NewFakeClock(now)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	keys, err := vault.NewKeyset()
	must(err)
	b.vault, err = vault.Open(keys)
	must(err)
	b.server, err = bus.StartServer(t.Context(), bus.ServerOptions{Dir: t.TempDir(), EncryptionKey: bytes.Repeat([]byte{1}, 32), Logger: log})
	must(err)
	b.bus, err = bus.Open(t.Context(), bus.Options{Server: b.server, Region: "eu", Logger: log})
	must(err)
	b.publishEndpoint("live", "we_old", "whsec_old", "we_new", "whsec_new")
	b.publishEndpoint("test", "we_test", "whsec_test")
	route := bus.Route{Workspace: "ns/w", Connection: "uid-1", Account: "acct_1", Livemode: true}
	_, err = b.bus.Routes().Put(t.Context(), bus.RouteKey("acct_1", true), route)
	must(err)
	opts := Options{Bus: b.bus, Vault: b.vault, Clock: b.clock, Logger: log, Metrics: prometheus.NewRegistry()}
	if change != nil {
		change(&opts)
	}
	b.receiver, err = New(opts)
	must(err)
	b.handler = b.receiver.Handler()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.receiver.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) && !b.stopped {
			t.Errorf("run: %v", err)
		}
		b.bus.Close()
		_ = b.server.Close()
	})
	gomega.NewWithT(t).Eventually(b.receiver.table.loaded).Should(gomega.BeTrue())
	return b
}

func (b *bench) publishEndpoint(mode string, idsAndSecrets ...string) {
	b.t.Helper()
	endpoint := bus.Endpoint{ID: idsAndSecrets[len(idsAndSecrets)-2], ClientID: "ca_" + mode}
	for i := 0; i < len(idsAndSecrets); i += 2 {
		sealed, err := b.vault.Seal([]byte(idsAndSecrets[i+1]), "endpoint/"+idsAndSecrets[i])
		if err != nil {
			b.t.Fatal(err)
		}
		endpoint.Secrets = append(endpoint.Secrets, sealed)
		endpoint.SecretIDs = append(endpoint.SecretIDs, idsAndSecrets[i])
	}
	if _, err := b.bus.Endpoints().Put(b.t.Context(), mode, endpoint); err != nil {
		b.t.Fatal(err)
	}
}

func sign(body, secret string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

func (b *bench) post(path, body, signature string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Stripe-Signature", signature)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, req)
	return w
}

func failedInvoice(id, account string, livemode bool) string {
	return fmt.Sprintf(`{"id":%q,"object":"event","type":"invoice.payment_failed","account":%q,"created":1772366000,"livemode":%t,
	"data":{"object":{"id":"in_1","object":"invoice","customer":"cus_1","subscription":"sub_1","attempt_count":1,"created":1772365000,
	"amount_due":5000,"amount_paid":0,"currency":"eur","billing_reason":"subscription_cycle","next_payment_attempt":1772600000,
	"customer_phone":"+49-marker-phone","customer_address":{"line1":"marker-street 1"},"default_payment_method":"pm_marker_token",
	"payment_settings":{"card":{"number":"4242marker4242"}}}}}`, id, account, livemode)
}

func TestAnswers(t *testing.T) {
	b := start(t, nil)
	good := failedInvoice("evt_1", "acct_1", true)
	ignored := `{"id":"evt_9","object":"event","type":"product.created","account":"acct_1","created":1772366000,"livemode":true,"data":{"object":{}}}`
	for _, tc := range []struct {
		name, path, body, signature string
		status                      int
		want                        string
	}{
		{"a genuine event", "/live", good, sign(good, "whsec_new", now), 200, `"outcome":"accepted"`},
		{"the same again", "/live", good, sign(good, "whsec_new", now), 200, `"duplicate":true`},
		{"the older secret during a rotation", "/live", good, sign(good, "whsec_old", now), 200, `"duplicate":true`},
		{"without a mode in the path", "", good, sign(good, "whsec_new", now), 200, `"duplicate":true`},
		{"another secret", "/live", good, sign(good, "whsec_bad", now), 400, `"ERR_WEBHOOK_SIG"`},
		{"no signature", "/live", good, "", 400, `"ERR_WEBHOOK_SIG"`},
		{"an altered body", "/live", good + " ", sign(good, "whsec_new", now), 400, `"ERR_WEBHOOK_SIG"`},
		{"300 s late", "/live", good, sign(good, "whsec_new", now.Add(-300*time.Second)), 200, `"duplicate":true`},
		{"301 s late", "/live", good, sign(good, "whsec_new", now.Add(-301*time.Second)), 400, `"ERR_WEBHOOK_STALE"`},
		{"301 s ahead", "/live", good, sign(good, "whsec_new", now.Add(301*time.Second)), 400, "in the future"},
		{"stale and forged", "/live", good, sign(good, "whsec_bad", now.Add(-time.Hour)), 400, `"ERR_WEBHOOK_SIG"`},
		{"the test endpoint's secret on the live path", "/live", good, sign(good, "whsec_test", now), 400, `"ERR_WEBHOOK_SIG"`},
		{"a live event signed for the test endpoint", "/test", good, sign(good, "whsec_test", now), 200, `"ignored_mode"`},
		{"a type without signals", "/live", ignored, sign(ignored, "whsec_new", now), 200, `"ignored_type"`},
		{"no JSON", "/live", "{", sign("{", "whsec_new", now), 200, `"undecodable"`},
		{"an unknown path", "/prod", good, sign(good, "whsec_new", now), 404, "webhooks/stripe/live"},
	} {
		w := b.post("/webhooks/stripe"+tc.path, tc.body, tc.signature)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) {
			t.Errorf("%s: %d %s; want %d with %s", tc.name, w.Code, w.Body, tc.status, tc.want)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: not JSON: %s", tc.name, w.Body)
		}
	}
}

// TestASecretThatIsNewerThanTheTable keeps the watch from telling of a new endpoint: the bus is asked.
func TestASecretThatIsNewerThanTheTable(t *testing.T) {
	b := start(t, nil)
	for n := range 2 * askSecrets { // what a flood of forged ones takes away comes back within a second
		body := failedInvoice(fmt.Sprint("evt_", n), "acct_1", true)
		b.post("/webhooks/stripe/live", body, sign(body, "whsec_forged", now))
	}
	b.publishEndpoint("live", "we_new", "whsec_new", "we_newest", "whsec_newest")
	b.receiver.table.setEndpoint("live", nil) // as before the watch has told
	body := failedInvoice("evt_1", "acct_1", true)
	gomega.NewWithT(t).Eventually(func() int {
		b.clock.Step(time.Second / askSecrets)
		return b.post("/webhooks/stripe/live", body, sign(body, "whsec_newest", b.clock.Now())).Code
	}).Should(gomega.Equal(http.StatusOK))
	if _, _, err := b.bus.Endpoints().Get(t.Context(), "live"); err != nil {
		t.Fatal(err)
	}
	b.bus.Close()
	b.stopped = true
	body = failedInvoice("evt_2", "acct_1", true)
	if w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_forged", b.clock.Now())); w.Code != http.StatusBadRequest {
		t.Errorf("without a bus: %d %s", w.Code, w.Body)
	}
}

// TestARouteThatIsNewerThanTheTable keeps the watch from telling of a new connection: the bus is asked.
func TestARouteThatIsNewerThanTheTable(t *testing.T) {
	b := start(t, nil)
	key := bus.RouteKey("acct_1", true)
	b.receiver.table.setRoute(key, nil) // as before the watch has told
	body := failedInvoice("evt_1", "acct_1", true)
	if w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now)); !strings.Contains(w.Body.String(), `"accepted"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := b.receiveOne(); got.Connection != "uid-1" {
		t.Errorf("routed to %+v", got)
	}
	for range askRoutes { // strangers beyond it are not worth a question
		body := failedInvoice("evt_s", "acct_stranger", true)
		if w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now)); !strings.Contains(w.Body.String(), `"unrouted"`) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	b.clock.Step(time.Second)
	b.stopped = true
	b.bus.Close()
	if w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", b.clock.Now())); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without a bus: %d %s", w.Code, w.Body)
	}
}

func TestModeAndAccountDecideWhereAnEventGoes(t *testing.T) {
	b := start(t, nil)
	for _, tc := range []struct {
		name, body, want string
	}{
		{"a test event without a test connection", failedInvoice("evt_t", "acct_1", false), `"ignored_mode"`},
		{"an account that is not connected", failedInvoice("evt_u", "acct_2", true), `"unrouted"`},
	} {
		w := b.post("/webhooks/stripe/live", tc.body, sign(tc.body, "whsec_new", now))
		if w.Code != 200 || !strings.Contains(w.Body.String(), tc.want) {
			t.Errorf("%s: %d %s", tc.name, w.Code, w.Body)
		}
	}
	test := bus.Route{Workspace: "ns/w", Connection: "uid-2", Account: "acct_1"}
	if _, err := b.bus.Routes().Put(t.Context(), bus.RouteKey("acct_1", false), test); err != nil {
		t.Fatal(err)
	}
	body := failedInvoice("evt_t2", "acct_1", false)
	gomega.NewWithT(t).Eventually(func() string {
		return b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now)).Body.String()
	}).Should(gomega.ContainSubstring(`"accepted"`))
	if got := b.receiveOne(); got.Connection != "uid-2" || got.Livemode {
		t.Errorf("routed to %+v", got)
	}
}

func (b *bench) receiveOne() (got bus.Message) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	err := b.bus.ConsumeSignals(ctx, bus.ConsumeOptions{}, func(_ context.Context, batch []bus.Delivery) {
		got = batch[0].Message
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		b.t.Fatal(err)
	}
	return got
}

func TestOnlyAllowedFieldsReachTheBus(t *testing.T) {
	b := start(t, nil)
	body := failedInvoice("evt_1", "acct_1", true)
	b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now))
	got := b.receiveOne()
	wire, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(wire), "marker") {
		t.Errorf("the bus carries %s", wire)
	}
	if got.Workspace != "ns/w" || got.ReceivedAtMs != now.UnixMilli() || len(got.Signals) != 1 || got.Signals[0].Customer != "cus_1" {
		t.Errorf("got %+v", got)
	}
}

func TestAnEventThatCannotBeReadIsToldToTheEngine(t *testing.T) {
	for name, object := range map[string]string{
		"a wrong type":  `{"id":"in_1","customer":"cus_1","attempt_count":"marker"}`,
		"a missing one": `{"id":"in_1","attempt_count":1,"footer":"marker"}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, nil)
			body := `{"id":"evt_1","object":"event","type":"invoice.payment_failed","account":"acct_1","created":1772366000,"livemode":true,"data":{"object":` + object + `}}`
			if w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now)); w.Code != 200 || !strings.Contains(w.Body.String(), `"undecodable"`) {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			got := b.receiveOne()
			want := bus.Message{
				Workspace: "ns/w", Connection: "uid-1", Account: "acct_1", Livemode: true, EventID: "evt_1", EventType: "invoice.payment_failed",
				Created: 1772366000, ReceivedAtMs: now.UnixMilli(), Failure: bus.FailureUndecodable,
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestADisputeWithoutCustomerIsAWorkersTask(t *testing.T) {
	b := start(t, nil)
	body := `{"id":"evt_d","object":"event","type":"charge.dispute.created","account":"acct_1","created":1772366000,"livemode":true,
	"data":{"object":{"id":"dp_1","object":"dispute","charge":"ch_1","status":"needs_response","created":1772366000}}}`
	if w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now)); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var task bus.Task
	_ = b.bus.ConsumeTasks(ctx, bus.TaskSlots{LookUps: 1, Backfills: 1}, func(_ context.Context, d bus.TaskDelivery) {
		task = d.Task
		_ = d.Ack()
		cancel()
	})
	if task.Kind != bus.TaskDispute || task.Dispute == nil || task.Dispute.Signals[0].Dispute.Charge != "ch_1" {
		t.Errorf("task %+v", task)
	}
}

func TestBounds(t *testing.T) {
	b := start(t, func(o *Options) { o.MaxBodyBytes, o.AccountRate, o.AccountBurst = 2048, 1, 1 })
	if w := b.post("/webhooks/stripe/live", strings.Repeat("x", 2049), ""); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %d", w.Code)
	}
	body := failedInvoice("evt_1", "acct_1", true)
	if w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now)); w.Code != 200 {
		t.Errorf("within the burst: %d %s", w.Code, w.Body)
	}
	if w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now)); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("over the burst: %d", w.Code)
	}
	b.receiver.bodies.left.Store(int64(len(body)) - 1)
	if w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now)); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("beside bodies that fill the memory: %d", w.Code)
	}
	if left := b.receiver.bodies.left.Load(); left != int64(len(body))-1 {
		t.Errorf("%d bytes are left after it", left)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/webhooks/stripe/live", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestNo2xxWithoutABus(t *testing.T) {
	b := start(t, nil)
	b.stopped = true // Run may not even have begun to watch
	_ = b.server.Close()
	body := failedInvoice("evt_1", "acct_1", true)
	w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestHealthAddsUpOverFlushesAndReplicas(t *testing.T) {
	b := start(t, nil)
	good := failedInvoice("evt_1", "acct_1", true)
	b.post("/webhooks/stripe/live", good, sign(good, "whsec_new", now))
	b.receiver.health.flush(t.Context(), b.bus.Health(), slog.New(slog.DiscardHandler))
	b.post("/webhooks/stripe/live", good, sign(good, "whsec_new", now))
	b.post("/webhooks/stripe/live", good, sign(good, "whsec_new", now.Add(-time.Hour)))
	for _, id := range []string{"evt_2", "none"} {
		junk := failedInvoice(id, "acct_1", true)
		b.post("/webhooks/stripe/live", junk, sign(junk, "whsec_guessed", now))
	}
	other := newHealthBook()
	other.note("uid-1", func(h *bus.Health) { h.Accepted++ })
	other.flush(t.Context(), b.bus.Health(), slog.New(slog.DiscardHandler))
	b.receiver.health.flush(t.Context(), b.bus.Health(), slog.New(slog.DiscardHandler))
	got, _, err := b.bus.Health().Get(t.Context(), "uid-1")
	want := bus.Health{
		Accepted: 2, Duplicates: 1, RejectedAge: 1, LastEventAt: now.Unix(), LastVerifiedAt: now.Unix(),
		LastRejectedAt: now.Unix(), LastRejectedCode: "ERR_WEBHOOK_STALE", SkewSeconds: 3600,
		RejectedSignature: 2, LastUnprovenAt: now.Unix(), LastUnprovenEvent: "evt_2",
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// heard is the health of the one connection after everything so far.
func (b *bench) heard() bus.Health {
	b.t.Helper()
	b.receiver.health.flush(b.t.Context(), b.bus.Health(), slog.New(slog.DiscardHandler))
	h, _, err := b.bus.Health().Get(b.t.Context(), "uid-1")
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

func TestAWithdrawnGrantIsOursAndNotOfAnEarlierTime(t *testing.T) {
	b := start(t, nil)
	route := bus.Route{Workspace: "ns/w", Connection: "uid-1", Account: "acct_1", Livemode: true, Since: now.Unix() - 60}
	if _, err := b.bus.Routes().Put(t.Context(), bus.RouteKey("acct_1", true), route); err != nil {
		t.Fatal(err)
	}
	gomega.NewWithT(t).Eventually(func() int64 {
		r, _ := b.receiver.table.route("acct_1", true)
		return r.Since
	}).Should(gomega.Equal(route.Since))
	withdraw := func(id, client string, created int64) {
		t.Helper()
		body := fmt.Sprintf(`{"id":%q,"object":"event","type":"account.application.deauthorized","account":"acct_1","created":%d,"livemode":true,
		"data":{"object":{"id":%q,"object":"application","name":"Kustiq"}}}`, id, created, client)
		if w := b.post("/webhooks/stripe/live", body, sign(body, "whsec_new", now)); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	withdraw("evt_1", "ca_of_somebody_else", now.Unix())
	withdraw("evt_2", "ca_test", now.Unix())
	withdraw("evt_3", "ca_live", route.Since-1)
	if got := b.heard().DeauthorizedAt; got != 0 {
		t.Fatalf("a grant that is not this one counts as withdrawn at %d", got)
	}
	withdraw("evt_4", "ca_live", now.Unix()-5)
	if got := b.heard().DeauthorizedAt; got != now.Unix()-5 {
		t.Fatalf("withdrawn at %d", got)
	}
}

func TestALiveEventOverTheTestEndpointIsTold(t *testing.T) {
	b := start(t, nil)
	body := failedInvoice("evt_1", "acct_1", true)
	if w := b.post("/webhooks/stripe/test", body, sign(body, "whsec_test", now)); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if h := b.heard(); h.LastRejectedCode != "ERR_MODE_MISMATCH" || h.Accepted != 0 || h.LastVerifiedAt != 0 {
		t.Errorf("%+v", h)
	}
}

func TestWhatARejectedRequestClaimsToBe(t *testing.T) {
	for id, want := range map[string]string{
		"evt_1NG8Du2eZvKYlo2C": "evt_1NG8Du2eZvKYlo2C", "": "", "cus_1": "", "evt_../../secret": "", "evt_a b": "", "evt_" + strings.Repeat("x", 300): "",
	} {
		if got := claimedID(id); got != want {
			t.Errorf("%q is kept as %q", id, got)
		}
	}
}
