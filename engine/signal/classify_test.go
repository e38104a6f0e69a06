package signal

import (
	"reflect"
	"slices"
	"testing"
)

func TestClassifyKinds(t *testing.T) {
	sub := subscription([]string{item("si_1", "1000", 1)})
	ended := subscription(nil, `"status":"canceled"`, `"ended_at":2000000`)
	customer := `{"id":"cus_1","created":900000,"email":"a@b.example","name":"Ann","metadata":{"kustiq_profile_id":"p1"}}`
	invoice := `{"id":"in_1","customer":"cus_1","created":1900000}`
	cases := []struct {
		kind, object string
		want         string
	}{
		{"customer.created", customer, "customer.created"},
		{"customer.updated", customer, "customer.updated"},
		{"invoice.finalized", invoice, "invoice.finalized"},
		{"invoice.payment_failed", invoice, "invoice.payment_failed"},
		{"invoice.payment_succeeded", invoice, "invoice.payment_succeeded"},
		{"customer.subscription.paused", sub, "subscription.paused"},
		{"customer.subscription.resumed", sub, "subscription.resumed"},
		{"customer.subscription.deleted", ended, "subscription.deleted"},
		{"customer.subscription.updated", sub, "subscription.observed"},
		{"charge.dispute.created", `{"id":"dp_1","charge":"ch_1","status":"needs_response"}`, "dispute.created"},
		{"charge.dispute.created", `{"id":"dp_1","charge":"ch_1","status":"warning_needs_response"}`, ""},
		{"charge.dispute.created", `{"id":"dp_1","charge":"ch_1","status":"warning_closed"}`, ""},
		{"customer.subscription.created", sub, ""},
		{"account.updated", `{"id":"acct_1"}`, ""},
		{"payout.paid", `["anything"]`, ""},
	}
	for _, c := range cases {
		if got := kinds(classified(t, event(c.kind, c.object, ""))); got != c.want {
			t.Errorf("%s: signals = %q, want %q", c.kind, got, c.want)
		}
	}
}

// What else a subscription update can say, alone and together.
func TestClassifyStateChanges(t *testing.T) {
	ten := item("si_1", "1000", 1)
	paused, ending := `"pause_collection":{"behavior":"void"}`, `"cancel_at_period_end":true`
	cases := map[string]struct {
		extra    []string
		previous string
		want     string
	}{
		"collection paused":         {[]string{paused}, `{"pause_collection":null}`, "subscription.paused"},
		"collection resumed":        {nil, `{"pause_collection":{"behavior":"void"}}`, "subscription.resumed"},
		"pause changed, still on":   {[]string{paused}, `{"pause_collection":{"behavior":"keep_as_draft"}}`, "subscription.observed"},
		"status paused":             {[]string{`"status":"paused"`}, `{"status":"trialing"}`, "subscription.paused"},
		"status active again":       {nil, `{"status":"paused"}`, "subscription.resumed"},
		"end scheduled":             {[]string{ending}, `{"cancel_at_period_end":false}`, "subscription.cancel_scheduled"},
		"end scheduled by date":     {[]string{`"cancel_at":3000000`}, `{"cancel_at":null}`, "subscription.cancel_scheduled"},
		"both fields at once":       {[]string{ending, `"cancel_at":3000000`}, `{"cancel_at_period_end":false,"cancel_at":null}`, "subscription.cancel_scheduled"},
		"end withdrawn":             {nil, `{"cancel_at_period_end":true}`, "subscription.cancel_withdrawn"},
		"end by date withdrawn":     {nil, `{"cancel_at":3000000}`, "subscription.cancel_withdrawn"},
		"a contract's far end":      {[]string{`"cancel_at":30000000`}, `{"cancel_at":null}`, "subscription.observed"},
		"still ending":              {[]string{ending}, `{"current_period_end":2990000}`, "subscription.observed"},
		"downgraded and ending":     {[]string{ending}, `{"cancel_at_period_end":false,` + listOf("items", item("si_1", "5000", 1)) + `}`, "subscription.downgraded subscription.cancel_scheduled"},
		"upgraded and resumed":      {nil, `{"pause_collection":{},` + listOf("items", item("si_1", "500", 1)) + `}`, "subscription.upgraded subscription.resumed"},
		"past due":                  {[]string{`"status":"past_due"`}, `{"status":"active"}`, "subscription.observed"},
		"cancelled while scheduled": {[]string{`"status":"canceled"`}, `{"cancel_at_period_end":true}`, "subscription.observed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			signals := classified(t, event(updatedEvent, subscription([]string{ten}, c.extra...), c.previous))
			if got := kinds(signals); got != c.want {
				t.Fatalf("signals = %q, want %q", got, c.want)
			}
			for i, s := range signals {
				if want := []string{"evt_1", "evt_1#2", "evt_1#3"}[i]; s.ID != want || s.EventID != "evt_1" {
					t.Errorf("signal %d: id %q of event %q, want %q", i, s.ID, s.EventID, want)
				}
				if s.Customer != "cus_1" || s.Created != 2000000 || s.Provenance != FromEvent {
					t.Errorf("signal %d: %+v", i, s)
				}
			}
		})
	}
}

func TestSubscriptionFacts(t *testing.T) {
	object := subscription([]string{item("si_1", "1000", 2)}, `"status":"past_due"`, `"pause_collection":{}`,
		`"cancel_at_period_end":true`, `"trial_end":1100000`)
	got := classified(t, event(updatedEvent, object, ""))[0].Subscription
	mrr := 2000.0
	want := &Subscription{
		ID: "sub_1", Status: "past_due", Currency: "usd", Start: 1000000, MRR: &mrr, IntervalMonths: 1,
		CurrentPeriodEnd: 3000000, CancelAtPeriodEnd: true, Paused: true, TrialEnd: 1100000,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("facts = %+v, want %+v", got, want)
	}
}

func TestSubscriptionFactsAcrossVersions(t *testing.T) {
	cases := map[string]struct {
		object string
		want   Subscription
	}{
		"2018: start, expanded customer": {
			`{"id":"sub_1","customer":{"id":"cus_1"},"start":5,"current_period_end":9,"plan":` + plan("100") + `,"quantity":1}`,
			Subscription{ID: "sub_1", Currency: "usd", Start: 5, CurrentPeriodEnd: 9, IntervalMonths: 1},
		},
		"created before start": {
			`{"id":"sub_1","customer":"cus_1","created":4,"start":5,"plan":` + plan("100") + `}`,
			Subscription{ID: "sub_1", Currency: "usd", Start: 4, IntervalMonths: 1},
		},
		"2025: period on the item": {
			`{"id":"sub_1","customer":"cus_1","start_date":3,"items":{"data":[{"id":"si_1","current_period_end":77,"quantity":1,
			"price":{"id":"p","currency":"usd","unit_amount":100,"recurring":{"interval":"month"}}}]}}`,
			Subscription{ID: "sub_1", Currency: "usd", Start: 3, CurrentPeriodEnd: 77, IntervalMonths: 1},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := *classified(t, event(updatedEvent, c.object, ""))[0].Subscription
			if shown(got.MRR) != "100.00" {
				t.Errorf("MRR = %s", shown(got.MRR))
			}
			got.MRR = nil
			if got != c.want {
				t.Errorf("facts = %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestInvoiceFacts(t *testing.T) {
	next := int64(2100000)
	mrr := 1500.0
	line := `{"type":"subscription","period":{"start":2000000,"end":4629746},"quantity":1,"plan":` + plan("1500") + `}`
	proration := `{"type":"invoiceitem","proration":true,"quantity":1,"plan":` + plan("9900") + `}`
	cases := map[string]struct {
		kind, object string
		want         Invoice
	}{
		"2023 failure": {
			"invoice.payment_failed",
			`{"id":"in_1","customer":"cus_1","subscription":"sub_1","billing_reason":"subscription_cycle","currency":"usd",
			"attempt_count":2,"next_payment_attempt":2100000,"amount_due":1500,"amount_paid":0,"created":1900000,
			"lines":{"data":[` + line + `,` + proration + `]}}`,
			Invoice{ID: "in_1", Subscription: "sub_1", BillingReason: "subscription_cycle", Currency: "usd", AttemptCount: 2,
				NextAttempt: &next, AmountDue: 1500, Created: 1900000, MRR: &mrr, IntervalMonths: 1, PeriodEnd: 4629746},
		},
		"2018 success: date, paid, no amount_paid": {
			"invoice.payment_succeeded",
			`{"id":"in_1","customer":"cus_1","date":1900000,"paid":true,"amount_due":700,"lines":{"data":[` +
				`{"id":"sub_9","type":"subscription","subscription":"sub_9","plan":` + plan("1500") + `,"quantity":1}]}}`,
			Invoice{ID: "in_1", Subscription: "sub_9", Currency: "usd", AmountDue: 700, AmountPaid: 700, Created: 1900000,
				PaidAt: 2000000, MRR: &mrr, IntervalMonths: 1},
		},
		"2025 success: parent and pricing": {
			"invoice.payment_succeeded",
			`{"id":"in_1","customer":"cus_1","currency":"usd","created":1900000,"amount_paid":1500,
			"parent":{"subscription_details":{"subscription":"sub_1"}},"status_transitions":{"paid_at":1999000},
			"lines":{"data":[{"currency":"usd","quantity":1,"parent":{"subscription_item_details":{"subscription":"sub_1"}},
			"period":{"start":2000000,"end":4629746},"pricing":{"unit_amount_decimal":"1500"}}]}}`,
			Invoice{ID: "in_1", Subscription: "sub_1", Currency: "usd", AmountPaid: 1500, Created: 1900000, PaidAt: 1999000,
				MRR: &mrr, IntervalMonths: 1, PeriodEnd: 4629746},
		},
		"paid outside Stripe": {
			"invoice.payment_succeeded",
			`{"id":"in_1","customer":"cus_1","created":1900000,"amount_paid":0,"paid":true,"paid_out_of_band":true}`,
			Invoice{ID: "in_1", Created: 1900000, PaidAt: 2000000, OutOfBand: true},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := classified(t, event(c.kind, c.object, ""))[0].Invoice
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("facts = %+v (MRR %s), want %+v", *got, shown(got.MRR), c.want)
			}
		})
	}
}

func TestDisputeTakesTheCustomerOfAnExpandedCharge(t *testing.T) {
	got := classified(t, event("charge.dispute.created", `{"id":"dp_1","status":"lost","charge":{"id":"ch_1","customer":"cus_7"}}`, ""))
	if len(got) != 1 || got[0].Customer != "cus_7" || got[0].Dispute.Charge != "ch_1" {
		t.Errorf("signals = %+v", got)
	}
}

func TestEventTypesHaveNoDuplicates(t *testing.T) {
	names := append(EventTypes(), ControlEventTypes()...)
	slices.Sort(names)
	if len(EventTypes()) != 10 || len(slices.Compact(names)) != 12 {
		t.Errorf("event types = %v", names)
	}
}
