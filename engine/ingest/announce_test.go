package ingest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/report"
)

// told is one delivery, as far as these tests care.
type told struct{ endpoint, customer, eventType string }

// outbox lists what waits in the outbox, oldest first.
func (b *bench) outbox(t testing.TB) (all []told) {
	t.Helper()
	page, err := b.store.Deliveries(b.ctx, workspace, store.DeliveryQuery{Limit: 500})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, d := range slices.Backward(page.Deliveries) {
		all = append(all, told{d.Endpoint, d.Customer, d.EventType})
	}
	return all
}

// tell names the receivers of the workspace's events.
func (b *bench) tell(threshold int, receivers ...bus.Receiver) {
	b.settings.set(workspace, &bus.Settings{AtRiskThreshold: threshold, Receivers: receivers})
}

// read hands messages over as a backfill's.
func (b *bench) read(messages ...bus.Message) {
	batch := make([]item, len(messages))
	for i, m := range messages {
		batch[i] = item{Message: m, attempt: 1, delivery: &answer{}}
	}
	b.handle(b.ctx, batch)
}

var (
	everything = bus.Receiver{ID: "all", Host: "hooks.example"}
	atRiskOnly = bus.Receiver{ID: "risk", Host: "other.example", EventTypes: []string{"customer.at_risk", "customer.churned"}}
)

func TestWhoIsTold(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	b.tell(60, everything, atRiskOnly)
	b.read(message(subscribed("cus_1", "evt_1", 300)), message(paid("cus_1", "evt_2", "in_0", 200)))
	g.Expect(b.outbox(t)).To(BeEmpty(), "history is no news")
	b.deliver(message(failed("cus_1", "evt_3", "in_1", 1, 3)))
	b.deliver(message(failed("cus_1", "evt_4", "in_1", 2, 0)), message(failed("cus_1", "evt_4", "in_1", 2, 0)))
	first := []told{{"all", "cus_1", "customer.at_risk"}, {"risk", "cus_1", "customer.at_risk"}, {"all", "cus_1", "score.changed"}, {"all", "cus_1", "score.changed"}}
	g.Expect(b.outbox(t)).To(Equal(first))

	page, err := b.store.Deliveries(b.ctx, workspace, store.DeliveryQuery{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Deliveries[0]).To(And(HaveField("Account", "acct_1"), HaveField("Host", "hooks.example"), HaveField("Livemode", true)))
	claimed, _, err := b.store.ClaimDeliveries(b.ctx, 1, time.Minute, []string{"risk"})
	g.Expect(err).NotTo(HaveOccurred())
	var body struct {
		Data struct {
			Customer string
			Score    int
			Previous struct{ Score int }
			Evidence []string
		}
	}
	g.Expect(json.Unmarshal(claimed[0].Body, &body)).To(Succeed())
	g.Expect(body.Data.Customer).To(Equal("cus_1"))
	g.Expect(body.Data.Evidence).To(Equal([]string{"evt_3"}))
	g.Expect(body.Data.Previous.Score).To(BeNumerically("<", body.Data.Score))

	b.deliver(message(paid("cus_1", "evt_5", "in_1", 0)))
	g.Expect(b.outbox(t)[len(first):]).To(Equal([]told{{"all", "cus_1", "customer.recovered"}, {"all", "cus_1", "score.changed"}}))

	b.tell(60)
	b.deliver(message(failed("cus_1", "evt_6", "in_2", 1, 0)))
	b.tell(60, everything)
	b.deliver(message(about("cus_1", "evt_7", "ada@example.com", 0)))
	g.Expect(b.outbox(t)).To(HaveLen(len(first)+2), "what happened while nobody listened is no news later")
}

// TestTimeIsNews lets a dispute fade.
// TestTheProfileIsTold: receivers learn which of the merchant's own customers it is, where that is certain.
func TestTheProfileIsTold(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	b.tell(60, everything)
	_, err := b.Import(b.ctx, workspace, strings.NewReader(profiles), matching.CSV)
	g.Expect(err).NotTo(HaveOccurred())
	for id, email := range map[string]string{"cus_sure": "ada@lovelace.example", "cus_team": "team@lovelace.example"} {
		b.read(message(about(id, "evt_"+id, email, 300)), message(subscribed(id, "evt_s"+id, 300)), message(paid(id, "evt_p"+id, "in_0"+id, 200)))
		b.deliver(message(failed(id, "evt_f"+id, "in_1"+id, 1, 0)))
	}
	claimed, _, err := b.store.ClaimDeliveries(b.ctx, 9, time.Minute, nil)
	g.Expect(err).NotTo(HaveOccurred())
	told := map[string]*report.RowProfile{}
	for _, d := range claimed {
		var body struct {
			Data struct{ Profile *report.RowProfile }
		}
		g.Expect(json.Unmarshal(d.Body, &body)).To(Succeed())
		told[d.Customer] = body.Data.Profile
	}
	g.Expect(told).To(Equal(map[string]*report.RowProfile{
		"cus_sure": {ID: "ada", Confidence: 100, Evidence: "email"}, "cus_team": nil}))
}

func TestTimeIsNews(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	b.tell(60, bus.Receiver{ID: "r1", EventTypes: []string{"customer.at_risk", "customer.recovered"}})
	b.deliver(message(subscribed("cus_1", "evt_1", 300)), message(paid("cus_1", "evt_2", "in_0", 200)))
	dispute := signal.Signal{ID: "evt_3", EventID: "evt_3", Kind: signal.DisputeCreated, Created: start.Unix(), Provenance: signal.FromEvent,
		Customer: "cus_1", Dispute: &signal.Dispute{ID: "dp_1", Status: "needs_response"}}
	b.deliver(message(dispute))
	g.Expect(b.outbox(t)).To(Equal([]told{{"r1", "cus_1", "customer.at_risk"}}))
	days := 0
	for ; len(b.outbox(t)) == 1 && days < 60; days++ {
		b.clock.Step(24 * time.Hour)
		_, err := b.reevaluate(b.ctx)
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(b.outbox(t)).To(Equal([]told{{"r1", "cus_1", "customer.at_risk"}, {"r1", "cus_1", "customer.recovered"}}))
	g.Expect(days).To(And(BeNumerically(">", 7), BeNumerically("<", 20)), "while the dispute weighs, the customer is at risk")
}

// versioned is a model whose version the test changes.
type versioned struct {
	PriorModel
	version *string
}

func (v versioned) Params(store.Scope) scoring.Params {
	return scoring.Params{Version: *v.version, Intercept: float64(len(*v.version))}
}

func TestANewModelIsNoNews(t *testing.T) {
	g := NewWithT(t)
	version := "a"
	b := newBench(t, func(o *Options) { o.Model = versioned{version: &version} })
	b.tell(60, everything)
	b.deliver(message(subscribed("cus_1", "evt_1", 300)), message(paid("cus_1", "evt_2", "in_0", 200)))
	before := b.shown(t, "cus_1").Score
	version = "abc" // two more in log-odds
	b.clock.Step(25 * time.Hour)
	_, err := b.reevaluate(b.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(b.shown(t, "cus_1").Score).To(BeNumerically(">", before+10))
	g.Expect(b.outbox(t)).To(BeEmpty())
}

// TestThreshold moves a workspace's threshold to and fro over a customer of 57 points.
func TestThreshold(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	b.tell(60, everything)
	for _, id := range []string{"cus_1", "cus_2"} {
		b.deliver(message(subscribed(id, "evt_1"+id, 300)), message(paid(id, "evt_2"+id, "in_0"+id, 200)))
	}
	b.deliver(message(failed("cus_1", "evt_3", "in_1", 1, 3)), message(failed("cus_1", "evt_4", "in_1", 2, 0)), message(paid("cus_1", "evt_5", "in_1", 0)))
	score := b.shown(t, "cus_1").Score
	g.Expect(score).To(BeNumerically("<", 60))
	atRisk := func() int {
		n, err := b.store.Counts(b.ctx, workspace)
		g.Expect(err).NotTo(HaveOccurred())
		return n.AtRisk
	}
	g.Expect(atRisk()).To(BeZero())
	announcedBefore := len(b.outbox(t))
	for _, step := range []struct{ threshold, want int }{{score, 1}, {score + 1, 0}, {1, 2}, {60, 0}} {
		b.tell(step.threshold, everything)
		b.settings.inbox.put(workspace, "nobody/here")
		g.Expect(b.judgeAnew(b.ctx)).To(BeZero())
		g.Expect(atRisk()).To(Equal(step.want), "threshold %d", step.threshold)
		applied, _, err := b.store.AtRiskThreshold(b.ctx, workspace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(applied).To(Equal(step.threshold))
	}
	g.Expect(b.outbox(t)).To(HaveLen(announcedBefore), "nothing has happened to anybody")
	b.tell(score, everything)
	b.deliver(message(about("cus_1", "evt_6", "ada@example.com", 0)))
	g.Expect(b.shown(t, "cus_1").AtRisk).To(BeTrue(), "what is scored meanwhile is judged by the new one already")
}

// TestSettingsComeBeforeSignals starts an engine on a bus where settings lie, and changes them.
func TestSettingsComeBeforeSignals(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	board := b.settings.board.(*memory[bus.Settings])
	_, err := board.Create(b.ctx, workspace, bus.Settings{AtRiskThreshold: 70, Receivers: []bus.Receiver{everything}})
	g.Expect(err).NotTo(HaveOccurred())
	board.setAway(true)
	g.Expect(b.Run(b.ctx)).To(MatchError(errAway), "without them nobody would be told of what comes")
	board.setAway(false)
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	g.Eventually(func() int { return b.settings.of(workspace).AtRiskThreshold }).Should(Equal(70))
	g.Eventually(board.watched).Should(BeTrue())
	g.Expect(board.Delete(b.ctx, workspace)).To(Succeed())
	g.Eventually(func() bus.Settings { return b.settings.of(workspace) }).Should(Equal(bus.Settings{AtRiskThreshold: 60}))
	cancel()
	g.Eventually(ended).Should(Receive(BeNil()))
}

func TestReceiversAreOpened(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	b.settings.vault = b.vault
	sealed, err := b.vault.Seal([]byte(`{"url":"https://hooks.example/a","secrets":["whsec_x"]}`), bus.ReceiverContext(workspace, "r1"))
	g.Expect(err).NotTo(HaveOccurred())
	b.tell(60, bus.Receiver{ID: "r1", Sealed: sealed}, bus.Receiver{ID: "moved", Sealed: sealed})
	to, ok := b.settings.Receiver(workspace, "r1")
	g.Expect(ok).To(BeTrue())
	g.Expect(to.URL).To(Equal("https://hooks.example/a"))
	for _, id := range []string{"moved", "unknown"} {
		_, ok = b.settings.Receiver(workspace, id)
		g.Expect(ok).To(BeFalse(), id)
	}
	_, ok = b.settings.Receiver("rival/prod", "r1")
	g.Expect(ok).To(BeFalse())
}
