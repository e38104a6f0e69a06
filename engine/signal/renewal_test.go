package signal

import (
	"fmt"
	"testing"
)

// renewalOf reads an invoice or a subscription.
func renewalOf(t *testing.T, object string) *Renewal {
	t.Helper()
	listed, err := ReadObject([]byte(object), ObjectOptions{Until: 3_000_000})
	if err != nil {
		t.Fatal(err)
	}
	return listed.Renewal
}

func invoiceOf(id string, at int64, lines string, more ...string) string {
	fields := ""
	for _, field := range more {
		fields += "," + field
	}
	return fmt.Sprintf(`{"object":"invoice","id":%q,"customer":"cus_1","subscription":"sub_1","status":"paid","currency":"usd","created":%d,
		"status_transitions":{"finalized_at":%d,"paid_at":%d},"lines":{"data":[%s]}%s}`, id, at, at, at, lines, fields)
}

func line(amount string, quantity int, more string) string {
	return fmt.Sprintf(`{"type":"subscription","proration":false,"quantity":%d,"period":{"start":1,"end":2},
		"price":{"id":"price_%s","currency":"usd","unit_amount":%s,"recurring":{"interval":"month","interval_count":1}}%s}`, quantity, amount, amount, more)
}

const half = `"discount":{"coupon":{"percent_off":50,"duration":"forever"}}`

func TestChangesBetweenInvoices(t *testing.T) {
	proration := `{"type":"invoiceitem","proration":true,"period":{"start":1500000,"end":2000000},"price":{"id":"p","unit_amount":5,"recurring":{"interval":"month"}}}`
	for name, tc := range map[string]struct {
		before, after string
		kind          Kind // "" for no change
		comparable    bool
		at            int64
		from, to      float64
	}{
		"the same":                   {line("1000", 1, ""), line("1000", 1, ""), "", true, 0, 0, 0},
		"dearer":                     {line("1000", 1, ""), line("3000", 1, ""), SubscriptionUpgraded, true, 2_000_000, 1000, 3000},
		"fewer seats":                {line("1000", 5, ""), line("1000", 2, ""), SubscriptionDowngraded, true, 2_000_000, 5000, 2000},
		"an added item":              {line("1000", 1, ""), line("1000", 1, "") + "," + line("500", 1, ""), SubscriptionUpgraded, true, 2_000_000, 1000, 1500},
		"a proration tells when":     {line("1000", 1, ""), line("3000", 1, "") + "," + proration, SubscriptionUpgraded, true, 1_500_000, 1000, 3000},
		"a proration without change": {line("1000", 1, ""), line("1000", 1, "") + "," + proration, "", true, 0, 0, 0},
		"a tiered price":             {line("1000", 1, ""), line("null", 1, ""), "", false, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := renewalOf(t, invoiceOf("in_1", 1_000_000, tc.before)), renewalOf(t, invoiceOf("in_2", 2_000_000, tc.after))
			s, changed, comparable := after.ChangeSince(*before)
			if changed != (tc.kind != "") || comparable != tc.comparable {
				t.Fatalf("changed %v, comparable %v", changed, comparable)
			}
			if !changed {
				return
			}
			if s.Kind != tc.kind || s.Created != tc.at || s.ID != "in_2:price" || s.Provenance != FromInference || s.Customer != "cus_1" {
				t.Errorf("%+v", s)
			}
			if f := s.Subscription; f.ID != "sub_1" || *f.PreviousMRR != tc.from || *f.MRR != tc.to {
				t.Errorf("from %v to %v", *f.PreviousMRR, *f.MRR)
			}
		})
	}
}

func TestADiscountIsNoChangeOfPrice(t *testing.T) {
	plain, discounted := renewalOf(t, invoiceOf("in_1", 1_000_000, line("1000", 1, ""))), renewalOf(t, invoiceOf("in_2", 2_000_000, line("1000", 1, ""), half))
	if _, changed, _ := discounted.ChangeSince(*plain); changed {
		t.Error("a coupon that begins is taken for a downgrade")
	}
	if _, changed, _ := plain.ChangeSince(*discounted); changed {
		t.Error("a coupon that ends is taken for an upgrade")
	}
	dearer := renewalOf(t, invoiceOf("in_3", 3_000_000, line("3000", 1, ""), half))
	s, _, _ := dearer.ChangeSince(*plain)
	if *s.Subscription.PreviousMRR != 500 || *s.Subscription.MRR != 1500 {
		t.Errorf("from %v to %v: both are valued with the discounts of now", *s.Subscription.PreviousMRR, *s.Subscription.MRR)
	}
}

func TestASubscriptionIsComparedWithItsLastInvoice(t *testing.T) {
	last := renewalOf(t, invoiceOf("in_1", 1_000_000, line("1000", 1, "")))
	now := renewalOf(t, subscription([]string{item("si_1", "1000", 1)}))
	if _, changed, comparable := now.ChangeSince(*last); changed || !comparable || now.At != 3_000_000 {
		t.Errorf("changed %v, comparable %v, at %d", changed, comparable, now.At)
	}
	ended := renewalOf(t, subscription([]string{item("si_1", "4000", 1)}, `"status":"canceled"`, `"ended_at":2000000`))
	if s, changed, _ := ended.ChangeSince(*last); !changed || s.Created != 2_000_000 || s.ID != "sub_1:price" {
		t.Errorf("%v %+v", changed, s)
	}
}

func TestWhatRenewsNothing(t *testing.T) {
	for name, object := range map[string]string{
		"a draft":           `{"object":"invoice","id":"in_1","customer":"cus_1","subscription":"sub_1","status":"draft","created":5,"lines":{"data":[` + line("1", 1, "") + `]}}`,
		"no subscription":   `{"object":"invoice","id":"in_1","customer":"cus_1","status":"paid","status_transitions":{"finalized_at":5},"lines":{"data":[]}}`,
		"only prorations":   invoiceOf("in_1", 5, `{"type":"invoiceitem","proration":true,"price":{"unit_amount":5,"recurring":{"interval":"month"}}}`),
		"a customer, by it": `{"object":"customer","id":"cus_1","created":5}`,
	} {
		if r := renewalOf(t, object); r != nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestAttemptsThatInvoicesCount(t *testing.T) {
	window := ObjectOptions{From: 1_000_000, Until: 5_000_000}
	for name, tc := range map[string]struct {
		fields string
		want   int64
	}{
		"paid at the third":        {`"status":"paid","attempt_count":3,"status_transitions":{"finalized_at":2000000,"paid_at":2500000}`, 2},
		"paid after the window":    {`"status":"paid","attempt_count":3,"status_transitions":{"finalized_at":2000000,"paid_at":5500000}`, 0},
		"billed before it":         {`"status":"paid","attempt_count":3,"status_transitions":{"finalized_at":900000,"paid_at":2500000}`, 0},
		"given up":                 {`"status":"uncollectible","attempt_count":4,"status_transitions":{"finalized_at":2000000}`, 4},
		"perhaps after the window": {`"status":"uncollectible","attempt_count":4,"status_transitions":{"finalized_at":4900000}`, 0},
		"open":                     {`"status":"open","attempt_count":2,"status_transitions":{"finalized_at":2000000}`, 0},
	} {
		listed, err := ReadObject([]byte(`{"object":"invoice","id":"in_1","customer":"cus_1","created":5,`+tc.fields+`}`), window)
		if err != nil || listed.Attempts != tc.want {
			t.Errorf("%s: %d, want %d (%v)", name, listed.Attempts, tc.want, err)
		}
	}
}
