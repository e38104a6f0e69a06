// Package e2e runs the built binaries as a person does: kustiq dev, kubectl and its plugin, a browser's requests, and
// Stripe's signed events over HTTP.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/test/devrun"
)

// binDir holds kustiq and kubectl-kustiq.
var binDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, clean := devrun.Binaries()
		defer clean()
		binDir = dir
		return m.Run()
	}())
}

// dev is a running kustiq dev.
type dev struct {
	*devrun.Dev
	t *testing.T
}

func command(args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(binDir, "kustiq"), args...)
}

func (d *dev) explain(customer string) (detail report.Detail) {
	d.t.Helper()
	out := d.Kubectl("kustiq", "explain", customer, "-n", "kustiq-demo", "-o", "json")
	if err := json.Unmarshal([]byte(out), &detail); err != nil {
		d.t.Errorf("explain: %v\n%s", err, out)
	}
	return detail
}

// post sends an event to the receiver as Stripe does.
func (d *dev) post(body, secret string) (status int, answer string) {
	d.t.Helper()
	req, err := http.NewRequest(http.MethodPost, d.Env["RECEIVER_URL"], strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Stripe-Signature", stripesim.Sign([]byte(body), secret, time.Now().Unix()))
	return d.do(req)
}

func (d *dev) do(req *http.Request) (status int, answer string) {
	d.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestTheMainJob(t *testing.T) {
	d := &dev{Dev: devrun.Start(t, binDir, "--events-per-minute", "0", "--notify-allow-cidrs", "127.0.0.0/8"), t: t}
	t.Run("kubectl shows the resources with Ready=True", d.showsResources)
	t.Run("the customer whose payment failed twice comes first, everywhere", d.showsTheTwiceFailedFirst)
	t.Run("an event counts once, a forged one not at all", d.countsOnce)
	t.Run("a dispute finds its customer", d.looksUpDisputes)
	t.Run("a receiver is told of who is at risk and who no longer is", d.tellsReceivers)
	t.Run("tokens lie sealed", d.sealsTokens)
	t.Run("a replay reads the same history and moves no score", d.replays)
	t.Run("all that has not cost Ready=True", d.showsResources)
	t.Run("Ctrl-C leaves nothing behind", d.stops)
}

func (d *dev) showsResources(t *testing.T) {
	out := d.Kubectl("get", "strc,bf,ws", "-A")
	for _, want := range []string{
		`NAME +MODE +REGION +ACCOUNT +READY +REASON +LAST-EVENT +AGE`,
		`stripe-live +Live +EU +acct_\w+ +True +Ready`,
		`stripe-test +Test +EU +acct_\w+ +True +Ready`,
		`stripe-live-initial +stripe-live +30d +Succeeded +100 +\d+ +\d+ +(\d+ objects/s +)?True`,
		`acme +Pro +EU +2 +True`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("kubectl get shows no %s:\n%s", want, out)
		}
	}
	d.Kubectl("wait", "--for=condition=Ready", "strc,bf,ws", "--all", "-n", "kustiq-demo", "--timeout=10s")
	if out := d.Kubectl("version"); !strings.Contains(out, "Server Version: v1.") {
		t.Errorf("kubectl version: %s", out)
	}
}

func (d *dev) showsTheTwiceFailedFirst(t *testing.T) {
	var page report.AtRisk
	if err := json.Unmarshal([]byte(d.Kubectl("kustiq", "at-risk", "-n", "kustiq-demo", "-o", "json")), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Rows) < 2 || page.Rows[0].Tier != "Critical" || !strings.Contains(page.Rows[0].Reason, "2 failed payments") {
		t.Fatalf("first: %+v", page.Rows)
	}
	first := page.Rows[0]
	table := regexp.MustCompile(`RANK +CUSTOMER[^\n]*\n +1 +` + first.Customer)
	if !table.Match([]byte(d.Output())) || !table.MatchString(d.Kubectl("kustiq", "at-risk", "-n", "kustiq-demo")) {
		t.Errorf("a printed table does not begin with %s", first.Customer)
	}
	req, _ := http.NewRequest(http.MethodGet, d.Env["DASHBOARD_URL"]+"/dashboard/churn", nil)
	status, html := d.do(req)
	rows := regexp.MustCompile(`<small>(cus_\w+)</small>`).FindStringSubmatch(html)
	if status != http.StatusOK || len(rows) == 0 || rows[1] != first.Customer {
		t.Errorf("the page answers %d and begins with %v", status, rows)
	}
	sum := 0.0
	for _, term := range d.explain(first.Customer).Terms {
		sum += term.LogOdds
	}
	NewWithT(t).Expect(d.explain(first.Customer).Eta).To(BeNumerically("~", sum, 1e-9))
}

func (d *dev) countsOnce(t *testing.T) {
	g := NewWithT(t)
	customer := d.quietCustomer(t)
	before := d.explain(customer).Score
	failed := fmt.Sprintf(`{"id":"evt_e2e1","object":"event","account":%q,"api_version":"2023-10-16","created":%d,"livemode":true,
		"type":"invoice.payment_failed","data":{"object":{"id":"in_e2e1","object":"invoice","customer":%q,"created":%d,"currency":"eur",
		"amount_due":9900,"amount_paid":0,"attempt_count":1,"billing_reason":"subscription_cycle","next_payment_attempt":%d,"status":"open"}}}`,
		d.Env["ACCOUNT_ID"], time.Now().Unix(), customer, time.Now().Unix(), time.Now().Add(72*time.Hour).Unix())
	secret := d.Env["WEBHOOK_SECRET_LIVE"]

	status, body := d.post(failed, "whsec_wrong")
	g.Expect(status).To(Equal(http.StatusBadRequest))
	g.Expect(body).To(ContainSubstring("ERR_WEBHOOK_SIG"))

	status, _ = d.post(failed, secret)
	g.Expect(status).To(Equal(http.StatusOK))
	var once report.Detail
	g.Eventually(func() int { once = d.explain(customer); return once.Score }, "20s").Should(BeNumerically(">", before))

	status, body = d.post(failed, secret)
	g.Expect(status).To(Equal(http.StatusOK))
	g.Expect(body).To(ContainSubstring(`"duplicate":true`))
	// A later event of the same customer, once scored, shows that the duplicate had its turn and changed nothing.
	paid := strings.NewReplacer("evt_e2e1", "evt_e2e2", "invoice.payment_failed", "invoice.finalized", "in_e2e1", "in_e2e2",
		`"attempt_count":1`, `"attempt_count":0`).Replace(failed)
	status, _ = d.post(paid, secret)
	g.Expect(status).To(Equal(http.StatusOK))
	g.Eventually(func() []report.Signal { return d.explain(customer).Signals }, "20s").
		Should(ContainElement(HaveField("ID", "evt_e2e2")))
	g.Expect(d.explain(customer).Score).To(Equal(once.Score))

	unknown := fmt.Sprintf(`{"id":"evt_e2e3","object":"event","account":%q,"created":%d,"livemode":true,"type":"product.created","data":{"object":{}}}`,
		d.Env["ACCOUNT_ID"], time.Now().Unix())
	status, _ = d.post(unknown, secret)
	g.Expect(status).To(Equal(http.StatusOK))
}

// looksUpDisputes lets Stripe send a dispute, which names a charge and no customer.
func (d *dev) looksUpDisputes(t *testing.T) {
	customer := d.quietCustomer(t)
	before := d.explain(customer).Score
	req, _ := http.NewRequest(http.MethodPost, d.Env["STRIPE_URL"]+"/_sim/accounts/"+d.Env["ACCOUNT_ID"]+"/customers/"+customer+"/dispute", nil)
	status, answer := d.do(req)
	NewWithT(t).Expect(status).To(Equal(http.StatusOK), answer)
	NewWithT(t).Eventually(func() report.Detail { return d.explain(customer) }, "20s").Should(And(
		HaveField("Row.Score", BeNumerically(">", before)),
		HaveField("Signals", ContainElement(HaveField("Kind", "dispute.created"))),
	))
}

// quietCustomer is one with a low score, payments in order, and nothing that puts it at risk all the same.
func (d *dev) quietCustomer(t *testing.T) string {
	t.Helper()
	req, _ := http.NewRequest(http.MethodGet, d.Env["STRIPE_URL"]+"/_sim/accounts", nil)
	_, body := d.do(req)
	var accounts []struct {
		Livemode  bool                        `json:"livemode"`
		Customers []stripesim.CustomerSummary `json:"customers"`
	}
	if err := json.Unmarshal([]byte(body), &accounts); err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		for _, c := range a.Customers {
			if !a.Livemode || c.Status != "active" {
				continue
			}
			if now := d.explain(c.ID); now.Score < 50 && !now.AtRisk {
				return c.ID
			}
		}
	}
	t.Fatal("the demo account has no customer whose payments are in order")
	return ""
}

func (d *dev) sealsTokens(t *testing.T) {
	out := d.Kubectl("get", "secrets", "-n", "kustiq-system", "-o", "json")
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Data     map[string][]byte
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	tokens := 0
	for _, secret := range list.Items {
		if !strings.HasPrefix(secret.Metadata.Name, "kustiq-token-") {
			continue
		}
		tokens++
		for _, value := range secret.Data {
			if bytes.Contains(value, []byte("sk_live_")) || bytes.Contains(value, []byte("rt_")) {
				t.Errorf("%s holds a token in the clear", secret.Metadata.Name)
			}
		}
	}
	if tokens != 2 {
		t.Errorf("%d token Secrets, want one for each connection", tokens)
	}
	_ = filepath.WalkDir(filepath.Join(d.Dir, "logs"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || bytes.Contains(text, []byte("sk_live_")) || bytes.Contains(text, []byte(d.Env["WEBHOOK_SECRET_LIVE"])) {
			t.Errorf("%s holds a secret (%v)", entry.Name(), err)
		}
		return nil
	})
}

func (d *dev) replays(t *testing.T) {
	before := d.Kubectl("kustiq", "at-risk", "-n", "kustiq-demo", "-o", "json")
	out := d.Kubectl("kustiq", "replay", "stripe-live", "-n", "kustiq-demo", "--wait")
	if !strings.Contains(out, "100 %") {
		t.Errorf("replay: %s", out)
	}
	after := d.Kubectl("kustiq", "at-risk", "-n", "kustiq-demo", "-o", "json")
	if scores(t, before) != scores(t, after) {
		t.Errorf("the replay moved scores:\n%s\n%s", scores(t, before), scores(t, after))
	}
}

func scores(t *testing.T, document string) string {
	t.Helper()
	var page report.AtRisk
	if err := json.Unmarshal([]byte(document), &page); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, row := range page.Rows {
		fmt.Fprintf(&text, "%s %d %s\n", row.Customer, row.Score, row.Tier)
	}
	return text.String()
}

func (d *dev) stops(t *testing.T) {
	if err := d.Cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("kustiq dev ended with %v", err)
		}
	case <-time.After(devrun.Patience):
		t.Fatal("kustiq dev does not stop")
	}
	found, err := exec.Command("pgrep", "-f", d.Dir).Output()
	if err == nil {
		t.Errorf("left behind: %s", found)
	}
}

func TestOnceEndsByItself(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), devrun.Patience)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "data")
	for range 2 { // the second run finds what the first left
		out, err := exec.CommandContext(ctx, filepath.Join(binDir, "kustiq"), "dev", "--data-dir", dir, "--once").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, want := range []string{`RANK +CUSTOMER`, `\n +1 +cus_\w+ .*Critical`, `BECAUSE`, `2 failed payments`} {
			if !regexp.MustCompile(want).Match(out) {
				t.Errorf("no %s in\n%s", want, out)
			}
		}
	}
}

func TestWhatIsWrongIsSaidInOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), []byte("work"), 0o600); err != nil {
		t.Fatal(err)
	}
	busy := filepath.Join(t.TempDir(), "busy")
	if err := os.MkdirAll(busy, 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(busy, "kustiq-dev"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"a port in use":        {[]string{"--data-dir", filepath.Join(t.TempDir(), "d"), "--dashboard-addr", taken.Addr().String()}, "is in use: choose another with --dashboard-addr"},
		"an open address":      {[]string{"--data-dir", filepath.Join(t.TempDir(), "d"), "--dashboard-addr", "0.0.0.0:0"}, "not a loopback address"},
		"somebody's folder":    {[]string{"--data-dir", foreign}, "files that kustiq dev did not make"},
		"a folder in use":      {[]string{"--data-dir", busy}, "another kustiq dev"},
		"an unknown scenario":  {[]string{"--scenario", "dmeo"}, "use demo or empty"},
		"once without a story": {[]string{"--scenario", "empty", "--once"}, "--once runs the demo"},
	} {
		cmd := command(append([]string{"dev"}, tc.args...)...)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), tc.want) || strings.Count(strings.TrimSpace(string(out)), "\n") != 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if _, err := os.Stat(filepath.Join(foreign, "thesis.txt")); err != nil {
		t.Errorf("somebody's file is gone: %v", err)
	}
}
