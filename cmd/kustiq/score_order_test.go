package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// manyEvents are raw events of 30 customers in the order in which they happened: payments that fail and are made up for,
// changes of price, disputes that name only a charge, ends, and several events of one second.
func manyEvents(random *rand.Rand) (events []string) {
	at := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC).Unix()
	add := func(kind, object string) {
		events = append(events, fmt.Sprintf(`{"object":"event","id":"evt_%03d","type":%q,"created":%d,"livemode":true,"data":%s}`,
			len(events), kind, at, object))
	}
	invoice := func(n, attempt int, extra string) string {
		return fmt.Sprintf(`{"object":{"id":"in_%d","object":"invoice","customer":"cus_%d","subscription":"sub_%d","billing_reason":"subscription_cycle",`+
			`"attempt_count":%d,"created":%d,"amount_due":4900,"currency":"eur","charge":"ch_%d"%s}}`, n, n, n, attempt, at-3600, n, extra)
	}
	item := func(amount int) string {
		return fmt.Sprintf(`{"object":"list","data":[{"id":"si_1","quantity":1,"price":{"id":"price_%d","currency":"eur","unit_amount":%d,`+
			`"recurring":{"interval":"month","interval_count":1}}}]}`, amount, amount)
	}
	for n := range 30 {
		add("invoice.payment_succeeded", invoice(n, 1, `,"amount_paid":4900`))
		if random.IntN(2) == 0 {
			at++
		}
		for attempt := 1; attempt <= random.IntN(4); attempt++ {
			add("invoice.payment_failed", strings.Replace(invoice(n, attempt, fmt.Sprintf(`,"next_payment_attempt":%d`, at+86400)), "in_", "in_next_", 1))
			at += int64(random.IntN(3)) * 86400
		}
		switch random.IntN(5) {
		case 0:
			add("customer.subscription.updated", fmt.Sprintf(`{"object":{"id":"sub_%d","object":"subscription","customer":"cus_%d","status":"active",`+
				`"currency":"eur","start_date":%d,"items":%s},"previous_attributes":{"items":%s}}`, n, n, at-90*86400, item(2000), item(4900)))
		case 1:
			add("charge.dispute.created", fmt.Sprintf(`{"object":{"id":"dp_%d","object":"dispute","charge":"ch_%d","status":"needs_response"}}`, n, n))
		case 2:
			add("customer.subscription.deleted", fmt.Sprintf(`{"object":{"id":"sub_%d","object":"subscription","customer":"cus_%d","status":"canceled",`+
				`"currency":"eur","start_date":%d,"ended_at":%d,"items":%s}}`, n, n, at-90*86400, at, item(4900)))
		case 3:
			add("invoice.payment_succeeded", strings.Replace(invoice(n, 3, `,"amount_paid":4900`), "in_", "in_next_", 1))
		}
	}
	return events
}

// TestScoreHasNoOrder scores a file in order, and then shuffled and with events twice or three times.
func TestScoreHasNoOrder(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		events := manyEvents(random)
		score := func(args ...string) string {
			out, _, err := ran(newScoreCommand(), strings.Join(events, "\n")+"\n", append(args, "--events", "-", "--at", "2026-06-01T00:00:00Z")...)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		text, document := score(), score("--json")
		if strings.Count(text, "\n") < 25 || !strings.Contains(document, `"dispute"`) {
			t.Fatalf("the events score too little:\n%s", text)
		}
		for range 3 {
			for range len(events) / 3 {
				events = append(events, events[random.IntN(len(events))])
			}
			random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			if got := score(); got != text {
				t.Fatalf("seed %d: shuffled, the table is another:\n%s\nand was\n%s", seed, got, text)
			}
			if got := score("--json"); got != document {
				t.Fatalf("seed %d: shuffled, the document is another", seed)
			}
		}
	}
}
