package offline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
)

const at = int64(1_800_000_000)

func event(id, kind string, created int64, object string) string {
	return fmt.Sprintf(`{"object":"event","id":%q,"type":%q,"created":%d,"livemode":true,"data":{"object":%s}}`, id, kind, created, object)
}

func invoice(id, customer string, created, attempt int64, more string) string {
	return fmt.Sprintf(`{"id":%q,"customer":%q,"subscription":"sub_%s","billing_reason":"subscription_cycle","currency":"usd",
		"created":%d,"attempt_count":%d,"next_payment_attempt":1900000000,"amount_due":1500%s}`, id, customer, customer, created, attempt, more)
}

// account is a small account: one customer in dunning, one who paid and disputed, one trial.
func account() []string {
	const day = 86400
	oneLine := func(s string) string { return strings.Join(strings.Fields(s), "") }
	paid := `,"amount_paid":1500,"charge":"ch_b"`
	return []string{
		event("evt_1", "customer.created", at-225*day, `{"id":"cus_a","created":`+fmt.Sprint(at-225*day)+`,"email":"a@b.example","name":"Ann"}`),
		oneLine(event("evt_2", "invoice.payment_failed", at-3*day, invoice("in_a", "cus_a", at-3*day, 1, ""))),
		oneLine(event("evt_3", "invoice.payment_failed", at, invoice("in_a", "cus_a", at-3*day, 2, ""))),
		oneLine(event("evt_4", "invoice.payment_succeeded", at-225*day, invoice("in_b", "cus_b", at-225*day, 1, paid))),
		event("evt_5", "charge.dispute.created", at-7*day, `{"id":"dp_b","charge":"ch_b","status":"needs_response"}`),
		event("evt_6", "customer.created", at-day, `{"id":"cus_c","created":`+fmt.Sprint(at-day)+`}`),
		event("evt_7", "payout.paid", at, `{"id":"po_1"}`),
	}
}

func input(t *testing.T, text string) *Input {
	t.Helper()
	in, err := Read(strings.NewReader(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func printed(t *testing.T, text string) (signals, scores string) {
	t.Helper()
	in := input(t, text)
	if err := in.Err(); err != nil {
		t.Fatal(err, in.Problems)
	}
	var a, b bytes.Buffer
	list, _ := in.Scores(time.Unix(at, 0))
	for _, err := range []error{
		PrintSignals(&a, in.Signals()), PrintJSON(&a, in.Signals()), PrintScores(&b, list), PrintJSON(&b, list),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return a.String(), b.String()
}

func TestOutputDoesNotDependOnOrderOrRepetition(t *testing.T) {
	lines := account()
	wantSignals, wantScores := printed(t, strings.Join(lines, "\n"))
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		mixed := append(append([]string{}, lines...), lines[random.IntN(len(lines))], lines[random.IntN(len(lines))])
		random.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		signals, scores := printed(t, strings.Join(mixed, "\n")+"\n")
		if signals != wantSignals || scores != wantScores {
			t.Fatalf("output differs:\n%s\n%s", signals+scores, wantSignals+wantScores)
		}
	}
	if strings.Contains(wantSignals+wantScores, "a@b.example") || strings.Contains(wantSignals+wantScores, "Ann") {
		t.Error("output names a person")
	}
}

func TestScoresOfAnAccount(t *testing.T) {
	scores, left := input(t, strings.Join(account(), "\n")).Scores(time.Unix(at, 0))
	if left != (LeftOut{}) || len(scores) != 3 {
		t.Fatalf("scores = %+v, left out %+v", scores, left)
	}
	for i, want := range []struct {
		customer string
		tier     scoring.Tier
		score    int
	}{{"cus_a", scoring.Critical, 95}, {"cus_b", scoring.Normal, 54}, {"cus_c", scoring.Unscored, 0}} {
		if s := scores[i]; s.Customer != want.customer || s.Tier != want.tier || s.Score != want.score {
			t.Errorf("place %d: %s %s %d, want %+v", i, s.Customer, s.Tier, s.Score, want)
		}
	}
	_, table := printed(t, strings.Join(account(), "\n"))
	if want := "2 failed payments on an unpaid invoice (+43)"; !strings.Contains(table, want) {
		t.Errorf("table lacks %q:\n%s", want, table)
	}
}

func TestScoresAsOfAnInstant(t *testing.T) {
	lines := append(account(), strings.Replace(event("evt_8", "charge.dispute.created", at-5, `{"id":"dp_x","charge":"ch_x"}`), "true", "false", 1),
		event("evt_9", "charge.dispute.created", at-9, `{"id":"dp_y","charge":"ch_y"}`))
	scores, left := input(t, strings.Join(lines, "\n")).Scores(time.Unix(at-1, 0))
	if want := (LeftOut{Later: 1, Test: 1, Unowned: 1}); left != want {
		t.Errorf("left out %+v, want %+v", left, want)
	}
	if scores[0].Customer != "cus_a" || scores[0].Tier != scoring.Normal {
		t.Errorf("before the second failure: %+v", scores[0])
	}
	var notes bytes.Buffer
	left.Report(&notes)
	if strings.Count(notes.String(), "\n") != 3 {
		t.Errorf("notes = %q", notes.String())
	}
}

func TestLayouts(t *testing.T) {
	one := account()[0]
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(one), "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty := indented.String()
	two := account()[5]
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"a line each":           {one + "\n" + two + "\n", 2},
		"no newline at the end": {one + "\n" + two, 2},
		"blank lines, CRLF":     {"\r\n" + one + "\r\n\r\n" + two + "\r\n", 2},
		"byte order mark":       {"\ufeff" + one, 1},
		"pretty":                {pretty, 1},
		"pretty, then a line":   {pretty + "\n" + two, 2},
		"side by side":          {one + two, 2},
		"array":                 {"[" + one + "," + two + "]", 2},
		"array, a line each":    {"[\n" + one + ",\n" + two + "\n]\n", 2},
		"Stripe list":           {`{"object":"list","has_more":false,"data":[` + one + "," + two + "]}", 2},
		"objects at the margin": {strings.ReplaceAll(one, `"data":{`, "\"data\":\n{"), 1},
		"list at the margin":    {"{\"object\":\"list\",\"data\":[\n" + one + ",\n" + two + "\n]}\n", 2},
		"nothing":               {"", 0},
	} {
		in := input(t, c.text)
		if in.Err() != nil || in.Events != c.want || len(in.Signals()) != c.want {
			t.Errorf("%s: %d events, %d signals, problems %v; want %d", name, in.Events, len(in.Signals()), in.Problems, c.want)
		}
	}
}

func TestBadEventsAreToldAndPassedOver(t *testing.T) {
	good, other := account()[0], account()[5]
	text := good + "\n" + `{"id":"evt_SECRET", broken` + "\n\n" + other + "\n" + `{"id":"evt_SECRET",` + "\n" +
		event("evt_SECRET", "invoice.payment_failed", 5, `{"id":"in_1","customer":["SECRET"]}`) + "\n" + account()[6] + "\n"
	in := input(t, text)
	if len(in.Signals()) != 2 || in.Events != 6 {
		t.Errorf("%d signals of %d events", len(in.Signals()), in.Events)
	}
	if err := in.Err(); !errors.Is(err, ErrBadEvents) || !strings.HasPrefix(err.Error(), "3 of 6: ") {
		t.Errorf("error = %v", err)
	}
	var report bytes.Buffer
	in.Report(&report)
	for i, want := range []string{"event 2 (line 2): not valid JSON", "event 4 (line 5): not valid JSON", "event 5 (line 6): decode event data: a field has an unexpected type at byte 137"} {
		if lines := strings.Split(report.String(), "\n"); lines[i] != want {
			t.Errorf("line %d of the report is %q, want %q", i, lines[i], want)
		}
	}
	if strings.Contains(report.String(), "SECRET") {
		t.Errorf("the report quotes an event: %s", report.String())
	}
}

// A truncated line costs itself alone, also where the next line seems to continue it.
func TestTruncatedLines(t *testing.T) {
	good, other := account()[0], account()[5]
	for _, cut := range []string{`{"id":"evt_1"`, `{"id":"evt_1",`, `{"id":`, `{"data":[`, `{"id":"evt`, `{`} {
		in := input(t, good+"\n"+cut+"\n"+other+"\n"+good+"\n"+other+"\n")
		if len(in.Signals()) != 2 || len(in.Problems) != 1 || in.Problems[0].At != (Position{2, 2}) {
			t.Errorf("after %s: %d signals, problems %v", cut, len(in.Signals()), in.Problems)
		}
	}
}

func TestMoney(t *testing.T) {
	for want, c := range map[string]struct {
		minor    float64
		currency string
	}{"15.00 USD": {1500, "usd"}, "1500 JPY": {1500, "jpy"}, "1.500 KWD": {1500, "kwd"}, "0.00": {0, ""}} {
		if got := money(c.minor, c.currency); got != want {
			t.Errorf("money(%v, %q) = %q, want %q", c.minor, c.currency, got, want)
		}
	}
}

func TestListedObjectsGiveSignalsToo(t *testing.T) {
	invoice := invoice("in_a", "cus_a", at-3*86400, 2, `,"object":"invoice","status":"open","livemode":true`)
	in := input(t, `{"object":"list","data":[`+invoice+`,{"object":"price","id":"price_a","livemode":true}]}`)
	if err := in.Err(); err != nil || in.Events != 2 {
		t.Fatalf("%d entries, problems %v", in.Events, in.Problems)
	}
	if len(in.Live) != 1 || in.Live[0].Kind != "invoice.payment_failed" || in.Live[0].Customer != "cus_a" {
		t.Errorf("signals %v, not one failed payment of cus_a", in.Live)
	}
}

func TestListedObjectsAreOfTheInstant(t *testing.T) {
	ends := func(at int64) string {
		return fmt.Sprintf(`{"object":"subscription","id":"sub_a","customer":"cus_a","status":"canceled","livemode":true,"start_date":1,"ended_at":%d}`, at)
	}
	for _, c := range []struct {
		ended int64
		want  int
	}{{at, 2}, {at + 1, 1}} {
		in, err := Read(strings.NewReader(ends(c.ended)), at)
		if err != nil || in.Err() != nil {
			t.Fatal(err, in.Problems)
		}
		if len(in.Live) != c.want {
			t.Errorf("ended %d s after the instant: %d signals, not %d", c.ended-at, len(in.Live), c.want)
		}
	}
}
